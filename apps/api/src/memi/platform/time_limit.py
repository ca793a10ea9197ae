"""Time limits for many short tasks: one shared timer looks at all of them, so that a limit costs a request no timer."""

import asyncio
from types import TracebackType


class TimeLimit:
    """`with limit:` cancels the task it runs in once its time is over, and turns that into `TimeoutError`."""

    __slots__ = ("_cancelling", "_deadline", "_limits", "_struck", "_task")

    def __init__(self, limits: "TimeLimits", task: asyncio.Task[object], deadline: float) -> None:
        self._limits = limits
        self._task = task
        self._deadline: float | None = deadline
        self._struck = False
        self._cancelling = task.cancelling()

    def __enter__(self) -> "TimeLimit":
        self._limits.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._limits.remove(self)
        # Somebody else may have cancelled the task as well; then the cancellation is theirs and goes on.
        if self._struck and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    @property
    def struck(self) -> bool:
        """Whether time ran out; the cancellation arrives at the task's next wait."""
        return self._struck

    def extend(self, seconds: float) -> None:
        """Give it `seconds` from now."""
        if not self._struck:
            self._deadline = asyncio.get_running_loop().time() + seconds

    def suspend(self) -> None:
        """No limit until the next `extend`."""
        self._deadline = None

    def check(self, now: float) -> None:
        """Strike if `now` (the loop's time) is past the deadline."""
        if self._deadline is not None and now >= self._deadline and not self._struck:
            self._struck = True
            self._task.cancel()


class TimeLimits:
    """The limits of one event loop, looked at every `interval` seconds while there are any."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._running: set[TimeLimit] = set()
        self._timer: asyncio.TimerHandle | None = None

    def of(self, seconds: float) -> TimeLimit:
        """A limit for the running task."""
        task = asyncio.current_task()
        assert task is not None
        return TimeLimit(self, task, asyncio.get_running_loop().time() + seconds)

    def add(self, limit: TimeLimit) -> None:
        self._running.add(limit)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._interval, self._look)

    def remove(self, limit: TimeLimit) -> None:
        self._running.discard(limit)

    def _look(self) -> None:
        self._timer = None
        if not self._running:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        for limit in self._running:
            limit.check(now)
        self._timer = loop.call_later(self._interval, self._look)
