"""The few threads that one plain (not `async`) plug-in may use.

A thread that hangs cannot be ended, only left behind: so there are a fixed number of them, apart from all others, which
do not hold up the end of the process. Once every one hangs nothing is waited for. Bookkeeping is done on the event loop
alone; a thread only takes work and reports it back.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

_WAITING_PER_THREAD = 16


class NoThread(Exception):
    """Every thread hangs, or too many calls wait already."""


class Call:
    """Work on its way through a thread; `future` has (result, None) or (None, what was raised)."""

    def __init__(self, work: Callable[[], Any], loop: asyncio.AbstractEventLoop) -> None:
        self.work = work
        self.future: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()
        self.is_running = False
        self.is_abandoned = False


class _Thread(threading.Thread):
    def __init__(self, name: str, report: Callable[["_Thread", Call, Any, BaseException | None], None]) -> None:
        super().__init__(name=name, daemon=True)
        self.inbox: SimpleQueue[Call | None] = SimpleQueue()
        self._report = report

    def run(self) -> None:
        while (call := self.inbox.get()) is not None:
            result, error = None, None
            try:
                result = call.work()
            except BaseException as raised:  # also SystemExit: a plug-in must not end our thread
                error = raised
            try:
                self._report(self, call, result, error)
            except RuntimeError:
                return  # the loop has ended meanwhile; nobody is there to hear it
            del call, result, error  # nothing of somebody's is kept while waiting for more


class Threads:
    """At most `size` of them, each started when it is first needed."""

    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self._size = size
        self._loop: asyncio.AbstractEventLoop | None = None
        self._all: list[_Thread] = []
        self._idle: list[_Thread] = []
        self._waiting: deque[Call] = deque()
        self._hanging = 0

    @property
    def all_hang(self) -> bool:
        """Whether the work of every thread was given up, and none has come back."""
        return self._hanging >= self._size

    def submit(self, work: Callable[[], Any]) -> Call:
        """Have it done; await the call's `future` and then `forget` it. Raises `NoThread`."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop = loop
        if self.all_hang or len(self._waiting) >= self._size * _WAITING_PER_THREAD:
            raise NoThread
        call = Call(work, loop)
        if self._idle:
            self._begin(self._idle.pop(), call)
        elif len(self._all) < self._size:
            thread = _Thread(f"{self._name}-{len(self._all) + 1}", self._report)
            self._all.append(thread)
            thread.start()
            self._begin(thread, call)
        else:
            self._waiting.append(call)
        return call

    def forget(self, call: Call) -> None:
        """Nobody waits for it any more: what has not begun never will, what runs is on its own."""
        if call.is_running:
            call.is_abandoned = True
            self._hanging += 1
            if self.all_hang:
                self._give_up_waiting()
        elif call in self._waiting:
            self._waiting.remove(call)

    def close(self) -> None:
        """Let those go that wait for work; one that hangs ends with the process."""
        for thread in self._all:
            thread.inbox.put(None)

    def _begin(self, thread: _Thread, call: Call) -> None:
        call.is_running = True
        thread.inbox.put(call)

    def _report(self, thread: _Thread, call: Call, result: Any, error: BaseException | None) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._ended, thread, call, result, error)

    def _ended(self, thread: _Thread, call: Call, result: Any, error: BaseException | None) -> None:
        call.is_running = False
        if call.is_abandoned:
            self._hanging -= 1
        elif not call.future.done():
            call.future.set_result((result, error))
        if self._waiting:
            self._begin(thread, self._waiting.popleft())
        else:
            self._idle.append(thread)

    def _give_up_waiting(self) -> None:
        """There is no thread left that could ever begin it."""
        while self._waiting:
            call = self._waiting.popleft()
            if not call.future.done():
                call.future.set_result((None, NoThread()))
