"""Image processing away from the event loop: a few child processes that may hang, crash or run out of memory unharmed.

A child is a fresh interpreter (never a fork of a process with threads and sockets) with next to no environment, so that
a hole in a decoder finds no secret there. It handles one picture at a time and is replaced after a number of them.
"""

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self, cast

import msgspec

from memi.media.processing_messages import LENGTH_BYTES, Answer, Done, Order, Rejected, frame
from memi.media.results import MAX_PIXELS, ImageRejected, ProcessedImage, RejectionCode

_START_SECONDS = 60.0
_REAP_SECONDS = 5.0
_GIBIBYTE = 1024**3
_ENCODER = msgspec.msgpack.Encoder()
_DECODER: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


class ImageWorkerCrashed(Exception):
    """The child died on the picture or could not start. It may not be the picture's fault: retry, with a cap.

    `exit_code` is the child's, negative for a signal, None when it never answered.
    """

    def __init__(self, exit_code: int | None) -> None:
        super().__init__(f"image worker ended with {exit_code}")
        self.exit_code = exit_code


class _Child:
    """One worker process and its two pipes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        # Both are pipes by the way the process is started below.
        self._input = cast("asyncio.StreamWriter", process.stdin)
        self._output = cast("asyncio.StreamReader", process.stdout)
        self.handled = 0

    @classmethod
    async def start(cls, memory_bytes: int) -> Self:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "memi.media.processing_worker",
            str(memory_bytes),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=_environment(),
        )
        child = cls(process)
        try:
            async with asyncio.timeout(_START_SECONDS):
                await child._read()
        except BaseException as error:
            if isinstance(error, asyncio.IncompleteReadError):
                raise ImageWorkerCrashed(await child.reap()) from error
            await child.kill()
            if isinstance(error, TimeoutError):
                raise ImageWorkerCrashed(None) from error
            raise
        return child

    @property
    def alive(self) -> bool:
        return self._process.returncode is None and not self._output.at_eof()

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ask(self, order: Order) -> Answer:
        self.handled += 1
        self._input.write(frame(_ENCODER.encode(order)))
        await self._input.drain()
        return _DECODER.decode(await self._read())

    async def _read(self) -> bytes:
        head = await self._output.readexactly(LENGTH_BYTES)
        return await self._output.readexactly(int.from_bytes(head, "big"))

    async def stop(self) -> None:
        """End an idle child: it leaves by itself once its input is closed."""
        self._input.close()
        await self._process.wait()

    async def reap(self) -> int:
        """The exit code of a child that closed its pipes, which it does by dying."""
        try:
            # Not kill() at once: asyncio would look whether it lives, and so take the exit code from its own watcher.
            async with asyncio.timeout(_REAP_SECONDS):
                return await self._process.wait()
        except TimeoutError:
            return await self.kill()

    async def kill(self) -> int:
        """End a running child at once, whatever it does; its exit code."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):  # it died in this moment; wait() below tells how
                self._process.kill()
        # Shielded: a cancelled caller must still not leave a process unreaped.
        return await asyncio.shield(self._process.wait())


class ImagePool:
    """At most `workers` pictures at once, each in a process of its own; further calls wait their turn.

    `timeout_seconds` bounds the wall-clock time of one picture, `memory_bytes` the address space of a child (on Linux),
    and a child is replaced after `recycle_after` pictures. Children start when first needed and die with this process.
    Belongs to one event loop.
    """

    def __init__(
        self,
        workers: int = 1,
        timeout_seconds: float = 30,
        *,
        memory_bytes: int = 3 * _GIBIBYTE,
        recycle_after: int = 200,
    ) -> None:
        self._workers = workers
        self._timeout_seconds = timeout_seconds
        self._memory_bytes = memory_bytes
        self._recycle_after = recycle_after
        self._turns = asyncio.Semaphore(workers)
        self._idle: list[_Child] = []
        self._busy: set[_Child] = set()
        self._closed = False

    @property
    def pids(self) -> list[int]:
        """Process ids of the living children, for health output and tests."""
        return [child.pid for child in (*self._idle, *self._busy) if child.alive]

    async def process(
        self, path: Path, *, declared_type: str, max_pixels: int = MAX_PIXELS, avif: bool = False
    ) -> ProcessedImage:
        """Run `process_image` on `path` in a child.

        Raises `ImageRejected` (final; also `timed_out`), `ImageWorkerCrashed` (worth a retry), `OSError` when the file
        cannot be read, `RuntimeError` after `aclose`.
        """
        order = Order(path=str(path), declared_type=declared_type, max_pixels=max_pixels, avif=avif)
        async with self._turns:
            if self._closed:
                raise RuntimeError("the image pool is closed")
            child = await self._take_child()
            self._busy.add(child)
            try:
                answer = await self._ask(child, order)
            finally:
                self._busy.discard(child)
            await self._put_back(child)
        if isinstance(answer, Done):
            return answer.image
        if isinstance(answer, Rejected):
            raise ImageRejected(answer.code)
        raise OSError(answer.errno, os.strerror(answer.errno), str(path))

    async def aclose(self) -> None:
        """Let pictures under way finish (each is bounded by the timeout), then end every child."""
        self._closed = True
        for _ in range(self._workers):
            await self._turns.acquire()
        children, self._idle = self._idle, []
        for child in children:
            await child.stop()
        for _ in range(self._workers):
            self._turns.release()

    async def _take_child(self) -> _Child:
        while self._idle:
            child = self._idle.pop()
            if child.alive:
                return child
            await child.reap()
        return await _Child.start(self._memory_bytes)

    async def _ask(self, child: _Child, order: Order) -> Answer:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await child.ask(order)
        except BaseException as error:
            # Cancelled, too: what the child is doing has no taker any more, and its next answer would be the wrong one.
            if isinstance(error, asyncio.IncompleteReadError | ConnectionError):
                raise ImageWorkerCrashed(await child.reap()) from error
            await child.kill()
            if isinstance(error, TimeoutError):
                raise ImageRejected(RejectionCode.TIMED_OUT) from error
            raise

    async def _put_back(self, child: _Child) -> None:
        if child.handled >= self._recycle_after:
            await child.stop()
        else:
            self._idle.append(child)


def _environment() -> dict[str, str]:
    """All that a child gets to know of the parent's environment: where code is found, and how libvips should behave."""
    inherited = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TMPDIR") if name in os.environ}
    return inherited | {
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
        "PYTHONDONTWRITEBYTECODE": "1",
        # One thread a child: the number of workers is the one knob for how many cores images may take.
        "VIPS_CONCURRENCY": "1",
        "VIPS_WARNING": "1",  # set to anything, it keeps libvips from printing about each odd photo
        "MALLOC_ARENA_MAX": "2",
    }
