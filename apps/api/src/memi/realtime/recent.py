"""A source of events that are rows: each socket gets every row that appears while it is open, once."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from uuid import UUID

from memi.realtime import frames
from memi.realtime.connection import Connection
from memi.realtime.hub import Hub

WINDOW = timedelta(minutes=2)
"""How far back a pull looks: longer than any transaction lasts, so that what commits late is still found."""
_REMEMBERED = 2000
_CHUNK = 500
_SWEEP_PERIODS = 10


@dataclass(frozen=True)
class Recent:
    """An event for some people; `key` is never another event's of the same source."""

    key: Hashable
    user_ids: Sequence[UUID]
    data: object


Read = Callable[[list[UUID]], Awaitable[Sequence[Recent]]]
"""What concerns these people and appeared within `WINDOW`, oldest first."""


class _Sent(OrderedDict[Hashable, None]):
    """What a socket knows already, the latest `_REMEMBERED` of it."""

    def add(self, key: Hashable) -> bool:
        """Whether it was new."""
        if key in self:
            return False
        self[key] = None
        if len(self) > _REMEMBERED:
            self.popitem(last=False)
        return True


class RecentSource:
    """Poked with the ids of the people concerned; now and then it looks for everyone, because pokes get lost."""

    def __init__(self, hub: Hub, topic: str, event: str, read: Read) -> None:
        self.topic = topic
        self._hub = hub
        self._event = event
        self._read = read
        self._sweep_seconds = hub.settings.realtime_poll_seconds * _SWEEP_PERIODS
        self._next_sweep = 0.0

    async def attach(self, connection: Connection) -> None:
        """What can be read now is history to this socket; what comes after is news."""
        sent = _Sent()
        for item in await self._read([connection.user_id]):
            sent.add(item.key)
        self._of(connection)[self.topic] = sent
        # A pull that ran during the read passed this socket by.
        self._hub.poke(self.topic, str(connection.user_id))

    async def pull(self, keys: set[str] | None) -> None:
        """Send what is new to those poked; None: to everyone, when it is time."""
        connected = self._hub.connected_users()
        if keys is None:
            if monotonic() < self._next_sweep:
                return
            self._next_sweep = monotonic() + self._sweep_seconds
            user_ids = sorted(connected)
        else:
            user_ids = sorted(user_id for user_id in connected if str(user_id) in keys)
        for start in range(0, len(user_ids), _CHUNK):
            self._send(await self._read(user_ids[start : start + _CHUNK]))

    def _send(self, items: Iterable[Recent]) -> None:
        for item in items:
            frame: str | None = None
            for user_id in item.user_ids:
                for connection in tuple(self._hub.connections_of(user_id)):
                    sent = self._of(connection).get(self.topic)
                    if sent is not None and sent.add(item.key):
                        frame = frame or frames.event(self._event, item.data)
                        connection.send(frame)

    @staticmethod
    def _of(connection: Connection) -> dict[str, _Sent]:
        return connection.state.setdefault(RecentSource, {})
