"""Watching a coroutine of somebody else's: how long did it keep the event loop to itself?"""

from collections.abc import Coroutine, Generator
from time import perf_counter
from typing import Any


class Watched:
    """Await it instead of the coroutine; `longest` is the longest stretch, in seconds, in which it let nobody else run.

    What it starts as tasks of its own is not seen.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine
        self.longest = 0.0

    def __await__(self) -> Generator[Any, Any, Any]:
        thrown: BaseException | None = None
        while True:
            began = perf_counter()
            try:
                waits_for = self._coroutine.send(None) if thrown is None else self._coroutine.throw(thrown)
            except StopIteration as ended:
                return ended.value
            finally:
                self.longest = max(self.longest, perf_counter() - began)
            thrown = None
            try:
                yield waits_for
            except BaseException as error:  # it is the coroutine's to deal with, cancellation too
                thrown = error
