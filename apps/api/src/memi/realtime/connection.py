"""One socket: its bounded queue, its sign-in, its command budget. No task of its own while it is idle."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from litestar.exceptions import WebSocketException

from memi.platform.principal import Principal
from memi.realtime import frames
from memi.realtime.frames import CloseCode

COMMANDS_PER_SECOND = 20.0
COMMAND_BURST = 40.0
Send = Callable[[Any], Awaitable[None]]


class Connection:
    """A signed-in socket. Everything but `transmit` returns at once; frames leave in the order they were given."""

    __slots__ = (
        "_budget",
        "_budget_at",
        "_closers",
        "_give_up",
        "_give_up_seconds",
        "_limit",
        "_queue",
        "_reader",
        "_send",
        "_started",
        "_writer",
        "address",
        "closing",
        "given_up",
        "principal",
        "state",
        "warned_of_expiry",
    )

    def __init__(
        self, send: Send, principal: Principal, *, queue: int, give_up_seconds: float, address: str | None = None
    ) -> None:
        self._send = send
        self._limit = queue
        self._give_up_seconds = give_up_seconds
        self._queue: deque[str] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._reader = asyncio.current_task()
        self._closers: list[Callable[[], None]] = []
        self._give_up: asyncio.TimerHandle | None = None
        self._started = False
        self._budget = COMMAND_BURST
        self._budget_at = time.monotonic()
        self.principal = principal
        self.address = address
        self.closing: CloseCode | None = None
        self.given_up = False
        self.warned_of_expiry = False
        self.state: dict[type, Any] = {}
        """What sources keep of this socket, by their own type."""

    @property
    def user_id(self) -> UUID:
        return self.principal.user_id

    def on_close(self, callback: Callable[[], None]) -> None:
        """Have `callback` called once, when the socket is gone."""
        self._closers.append(callback)

    def start(self, ready: str) -> None:
        """Let frames flow, `ready` first; what was sent before waited for it."""
        self._started = True
        self._queue.appendleft(ready)
        self._wake()

    def send_event(self, type: str, data: object) -> None:
        self.send(frames.event(type, data))

    def send(self, frame: str) -> None:
        """Queue a frame. A socket whose queue is full reads too slowly: it is closed, and resumes when it can."""
        if self.closing is not None:
            return
        if len(self._queue) >= self._limit:
            self._queue.clear()
            self.close(CloseCode.TRY_LATER)
            return
        self._queue.append(frame)
        self._wake()

    def close(self, code: CloseCode) -> None:
        """Close after the frames that are queued."""
        if self.closing is None:
            self.closing = code
            self._give_up = asyncio.get_running_loop().call_later(self._give_up_seconds, self._abandon)
            self._wake()

    def may_command(self) -> bool:
        """Whether the command budget allows one more now: a burst, refilled steadily."""
        now = time.monotonic()
        self._budget = min(COMMAND_BURST, self._budget + (now - self._budget_at) * COMMANDS_PER_SECOND)
        self._budget_at = now
        if self._budget < 1:
            return False
        self._budget -= 1
        return True

    async def finish(self) -> None:
        """The socket is gone: stop writing and let everybody forget it."""
        if self._give_up is not None:
            self._give_up.cancel()
        writer, self._writer = self._writer, None
        self.closing = self.closing or CloseCode.INTERNAL
        self._queue.clear()
        if writer is not None:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
        closers, self._closers = self._closers, []
        for callback in closers:
            callback()

    def _wake(self) -> None:
        if self._writer is None and (self._started or self.closing is not None):
            self._writer = asyncio.create_task(self._write())

    async def _write(self) -> None:
        """Send what is queued, then end; a later frame starts another."""
        try:
            while self._started and self._queue:
                await self._send({"type": "websocket.send", "text": self._queue.popleft()})
                if self.closing is CloseCode.TRY_LATER:
                    break
            if self.closing is not None:
                await self._send({"type": "websocket.close", "code": int(self.closing), "reason": ""})
        except (OSError, RuntimeError, WebSocketException):
            # The other side is gone, or the server closed first: the reader hears of it and ends the socket.
            self._queue.clear()
        finally:
            self._writer = None

    def _abandon(self) -> None:
        """It neither reads nor goes away: stop waiting for it."""
        self.given_up = True
        if self._reader is not None:
            self._reader.cancel()
