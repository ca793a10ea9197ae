"""Asking one plug-in: within its time, and with nothing to fear from how it fails."""

import asyncio
import inspect
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from traceback import extract_tb
from typing import Any, Generic, Literal, TypeVar

import msgspec
import structlog

from memi.intelligence.breaker import Breaker
from memi.intelligence.ports import Port
from memi.intelligence.stepping import Watched
from memi.intelligence.threads import NoThread, Threads
from memi.platform import metrics

log = structlog.get_logger(__name__)
Q = TypeVar("Q")
A = TypeVar("A")
Outcome = Literal["OK", "TIMEOUT", "ERROR", "SKIPPED"]
_MAX_ANSWER = 64 * 1024
_MAX_TASKS = 32
_BLOCKING = 0.05
"""Seconds for which an `async` plug-in may keep the event loop before it is told of in the log."""


class WrongAnswer(Exception):
    """What came back is not what the port asks for."""


@dataclass(frozen=True)
class Limits:
    """What every plug-in is held to; `seconds` for one call."""

    seconds: float
    threads: int
    failures: int
    pause: float


@dataclass(frozen=True)
class Answer(Generic[A]):
    """What a plug-in said; `value` is None whenever it said nothing, for whatever reason."""

    port: str
    plugin: str | None
    """None: there is none, and nothing was asked."""
    version: str
    outcome: Outcome
    value: A | None
    took_ms: float


def unasked(port: Port[Any, A]) -> Answer[A]:
    """The answer where nothing is plugged in."""
    return Answer(port.name, None, "", "SKIPPED", None, 0.0)


class Seat(Generic[Q, A]):
    """A plug-in in its place."""

    def __init__(self, port: Port[Q, A], plugin: Any, name: str, version: str, limits: Limits) -> None:
        self.port, self.name, self.version = port, name, version
        self._method = getattr(plugin, port.method)
        self._is_async = inspect.iscoroutinefunction(self._method)
        self._limits = limits
        self._breaker = Breaker(limits.failures, limits.pause)
        self._threads = Threads(f"intelligence-{port.name}", limits.threads)
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def is_left_alone(self) -> bool:
        """Whether it failed so often that it is asked only now and then, or hangs wherever it could be asked."""
        return self._breaker.is_open or self._threads.all_hang

    async def ask(self, question: Q) -> Answer[A]:
        """Never raises for what the plug-in does, and takes no longer than the limit."""
        if not self._breaker.admits():
            return self._answer("SKIPPED", None, 0.0)
        began = perf_counter()
        try:
            outcome, value, error = await (self._on_loop if self._is_async else self._in_thread)(question)
        except BaseException:
            self._breaker.unanswered()  # whoever asked has gone
            raise
        took = (perf_counter() - began) * 1000
        self._learn(outcome, error, took)
        return self._answer(outcome, value, took)

    def close(self) -> None:
        """Let go of threads and tasks; what hangs is left behind."""
        self._threads.close()
        for task in self._tasks:
            task.cancel()

    def _answer(self, outcome: Outcome, value: A | None, took: float) -> Answer[A]:
        metrics.INTELLIGENCE_CALLS.labels(self.port.name, outcome).inc()
        return Answer(self.port.name, self.name, self.version, outcome, value, round(took, 2))

    async def _in_thread(self, question: Q) -> tuple[Outcome, A | None, BaseException | None]:
        try:
            call = self._threads.submit(lambda: self._checked(self._method(question)))
        except NoThread:
            return "SKIPPED", None, None
        try:
            async with asyncio.timeout(self._limits.seconds):
                value, error = await call.future
        except TimeoutError:
            return ("TIMEOUT" if call.is_running else "SKIPPED"), None, None
        finally:
            self._threads.forget(call)
        if isinstance(error, NoThread):
            return "SKIPPED", None, None
        return ("OK" if error is None else "ERROR"), value, error

    async def _on_loop(self, question: Q) -> tuple[Outcome, A | None, BaseException | None]:
        if len(self._tasks) >= _MAX_TASKS:
            return "SKIPPED", None, None
        try:
            watched = Watched(self._method(question))
        except Exception as error:
            # It cannot be called so at all, or something around it raises before there is anything to wait for.
            return "ERROR", None, error
        task = asyncio.create_task(self._finish(watched), name=f"intelligence {self.port.name}")
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)
        try:
            done, _ = await asyncio.wait((task,), timeout=self._limits.seconds)
        finally:
            task.cancel()
        self._notice_blocking(watched.longest)
        if not done or watched.longest > self._limits.seconds:
            return "TIMEOUT", None, None
        if task.cancelled():
            return "ERROR", None, asyncio.CancelledError()
        error = task.exception()
        return ("OK", task.result(), None) if error is None else ("ERROR", None, error)

    async def _finish(self, watched: Watched) -> A | None:
        try:
            answer = await watched
        except SystemExit as error:
            # asyncio would end the process by it, which is not a plug-in's to end.
            raise WrongAnswer("tried to end the process") from error
        return self._checked(answer)

    def _task_ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # known, or of no interest any more: asyncio need not complain that nobody asked

    def _checked(self, answer: object) -> A | None:
        """The answer as a struct of our own making, in its bounds; raises what is wrong with it."""
        if answer is None:
            return None
        if not isinstance(answer, self.port.answer):
            if inspect.iscoroutine(answer):
                answer.close()
            raise WrongAnswer(f"not an answer of {self.port.name}")
        encoded = msgspec.json.encode(answer)
        if len(encoded) > _MAX_ANSWER:
            raise WrongAnswer("the answer is too large")
        if b"\\u0000" in encoded:
            raise WrongAnswer("the answer has NUL characters")
        return msgspec.json.decode(encoded, type=self.port.answer)

    def _learn(self, outcome: Outcome, error: BaseException | None, took: float) -> None:
        if outcome == "SKIPPED":
            self._breaker.unanswered()
            return
        if outcome == "OK":
            self._breaker.succeeded()
            return
        # What a plug-in raises may quote what it was asked, which is people's words: only its kind and place are told.
        log.warning(
            "intelligence_failed",
            port=self.port.name,
            plugin=self.name,
            version=self.version,
            outcome=outcome,
            error=None if error is None else type(error).__name__,
            at=None if error is None else _place(error.__cause__ or error),
            took_ms=round(took, 1),
        )
        if self._threads.all_hang:
            log.warning("intelligence_hangs_everywhere", port=self.port.name, plugin=self.name)
        if self._breaker.failed():
            metrics.INTELLIGENCE_BREAKER_OPENED.labels(self.port.name).inc()
            log.warning("intelligence_left_alone", port=self.port.name, plugin=self.name, seconds=self._limits.pause)

    def _notice_blocking(self, longest: float) -> None:
        if longest > _BLOCKING:
            metrics.INTELLIGENCE_BLOCKED.labels(self.port.name).inc()
            log.warning(
                "intelligence_blocks_the_loop",
                port=self.port.name,
                plugin=self.name,
                longest_ms=round(longest * 1000, 1),
            )


def _place(error: BaseException) -> str | None:
    """The file and line that raised it."""
    frames = extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else None
