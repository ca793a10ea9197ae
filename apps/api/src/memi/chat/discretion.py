"""Who may not be seen to be there: across a block, and people who do not show when they were last seen."""

from time import monotonic
from uuid import UUID

from memi.chat import live_queries
from memi.chat.presence import PresenceBoard
from memi.platform.hot_pool import HotPool
from memi.realtime.connection import Connection
from memi.realtime.hub import Hub

TOPIC = "discretion"
"""Poked with the id of somebody who blocked a person, or who shows less of themselves."""
_SWEEP_PERIODS = 10


class Discretion:
    """A source that takes away: presence that was watched when it still might be. Pokes get lost, so it sweeps too."""

    topic = TOPIC

    def __init__(self, hub: Hub, hot: HotPool, presence: PresenceBoard) -> None:
        self._hot = hot
        self._presence = presence
        self._sweep_seconds = hub.settings.realtime_poll_seconds * _SWEEP_PERIODS
        self._next_sweep = 0.0

    async def attach(self, connection: Connection) -> None:
        """A new socket watches nobody yet."""

    async def pull(self, keys: set[str] | None) -> None:
        """Look at those whom the keys name, on either side; None: at everyone, when it is time."""
        pairs = self._presence.watched()
        if keys is None:
            if monotonic() < self._next_sweep:
                return
            self._next_sweep = monotonic() + self._sweep_seconds
        else:
            named = {UUID(key) for key in keys}
            pairs = {pair for pair in pairs if named.intersection(pair)}
        if pairs:
            for watcher_id, watched_id in await live_queries.unseen(self._hot, pairs):
                self._presence.part(watcher_id, watched_id)
