"""Sources of events, and the loop that has each read what is new: on every poke and on a timer."""

import asyncio
import contextlib
import time
from typing import Protocol

import structlog

from memi.realtime.connection import Connection

log = structlog.get_logger(__name__)
_MAX_KEYS = 10_000


class Source(Protocol):
    """A feature that has events for connected people. The broker is never trusted: `pull` reads by cursor."""

    topic: str
    """The broker topic whose pokes concern this source."""

    async def attach(self, connection: Connection) -> None:
        """Remember where a new socket starts; what is committed after this returns reaches it as events."""
        ...

    async def pull(self, keys: set[str] | None) -> None:
        """Send what is new under `keys`; None: under any, because the timer fired or pokes may have been lost."""
        ...


class PullLoop:
    """Runs one source's pulls, never two at once."""

    def __init__(self, source: Source, period: float) -> None:
        self.source = source
        self._period = period
        self._keys: set[str] = set()
        self._all = False
        self._wake = asyncio.Event()

    def poke(self, key: str | None) -> None:
        """There may be something new under `key`, or under any."""
        if key is None or len(self._keys) >= _MAX_KEYS:
            self._keys.clear()
            self._all = True
        elif not self._all:
            self._keys.add(key)
        self._wake.set()

    def forget(self) -> None:
        """Nobody is connected: what was poked concerns nobody here."""
        self._keys.clear()
        self._all = False

    async def run(self) -> None:
        """Pull until cancelled; what fails is logged and tried again after a period."""
        due = 0.0
        while True:
            with contextlib.suppress(TimeoutError):
                # Not wait_for: before Python 3.12 it may swallow the cancellation that ends this loop.
                async with asyncio.timeout(max(0.0, due - time.monotonic())):
                    await self._wake.wait()
            self._wake.clear()
            if time.monotonic() >= due:
                due = time.monotonic() + self._period
                self._all = True
            keys, self._keys = self._keys, set()
            everything, self._all = self._all, False
            try:
                if keys:
                    await self.source.pull(keys)
                if everything:
                    await self.source.pull(None)
            except Exception:
                # This loop is all that feeds the sockets: whatever went wrong, it must run again, from the cursors.
                log.exception("realtime_pull_failed", topic=self.source.topic)
                self._all = True
                await asyncio.sleep(self._period)
