"""Keeps a few child processes running and ends them together, so that nothing outlives `memi up`."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType

from memi.cli.errors import CommandFailed, complain

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_STOP_SECONDS = 20.0  # a server process takes up to 10 s for its requests and 5 s for its last events of usage
_TICK_SECONDS = 0.2
_STEADY_SECONDS = 10.0
_QUICK_DEATHS = 3


class StopRequested(KeyboardInterrupt):
    """A signal asked to stop. A KeyboardInterrupt, because event loops let nothing else through."""


@contextmanager
def stop_on_signal() -> Generator[None]:
    """The first SIGINT, SIGTERM or SIGHUP raises `StopRequested` in the block; later ones change nothing any more."""
    asked = False

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if not asked:
            asked = True
            raise StopRequested

    previous = {number: signal.signal(number, on_signal) for number in _STOP_SIGNALS}
    try:
        yield
    finally:
        asked = True
        for number, handler in previous.items():
            signal.signal(number, handler)


@dataclass
class _Child:
    name: str
    command: Sequence[str]
    descriptors: tuple[int, ...]
    permanent: bool
    process: subprocess.Popen[bytes]
    started: float
    quick_deaths: int = 0


class Supervisor:
    """Children are `memi` commands in sessions of their own: a Ctrl-C reaches only the supervisor, who stops them."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._children: list[_Child] = []

    def start(
        self, name: str, *arguments: str, descriptors: tuple[int, ...] = (), permanent: bool = True
    ) -> subprocess.Popen[bytes]:
        """Run `memi ARGUMENTS`. A permanent child that dies is started again; one that keeps dying ends the watch."""
        command = [sys.executable, "-m", "memi.cli.main", *arguments, "--parent", str(os.getpid())]
        process = self._spawn(command, descriptors)
        self._children.append(_Child(name, command, descriptors, permanent, process, time.monotonic()))
        return process

    def _spawn(self, command: Sequence[str], descriptors: tuple[int, ...]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command, env=self._environment, stdin=subprocess.DEVNULL, pass_fds=descriptors, start_new_session=True
        )

    def watch(self, also: Callable[[], object]) -> None:
        """Replace dead children, and call `also` about once a second, until a signal or a hopeless child ends it.

        Raises `CommandFailed` naming the child that cannot be kept running.
        """
        ticks = 0
        while True:
            self.check()
            ticks += 1
            if ticks % 5 == 0:
                also()
            time.sleep(_TICK_SECONDS)

    def check(self) -> None:
        """Replace permanent children that died."""
        for child in self._children:
            code = child.process.poll()
            if code is None or not child.permanent:
                continue
            _end_group(child.process.pid)
            lived = time.monotonic() - child.started
            child.quick_deaths = child.quick_deaths + 1 if lived < _STEADY_SECONDS else 0
            if child.quick_deaths >= _QUICK_DEATHS:
                raise CommandFailed(f"the {child.name} keeps ending (exit code {code}); its messages are above")
            complain(f"the {child.name} ended (exit code {code}); starting it again")
            time.sleep(_TICK_SECONDS * child.quick_deaths)
            child.process, child.started = self._spawn(child.command, child.descriptors), time.monotonic()

    def stop(self) -> None:
        """End every child: asked first, killed after `_STOP_SECONDS`, with whatever they started themselves."""
        for child in self._children:
            if child.process.poll() is None:
                child.process.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for child in self._children:
            with suppress(subprocess.TimeoutExpired):
                child.process.wait(max(0.0, deadline - time.monotonic()))
            _end_group(child.process.pid)
            child.process.wait()
        self._children.clear()


def _end_group(leader: int) -> None:
    """Kill what is left of a child's session."""
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
