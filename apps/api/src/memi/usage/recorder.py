"""Collects what requests show of use, and writes it a moment later: no request waits for it or fails by it."""

import asyncio
import contextlib
import secrets
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError

from memi.platform import metrics
from memi.platform.client_address import client_address
from memi.platform.ids import new_id
from memi.platform.ready_reply import header_of
from memi.platform.settings import Settings
from memi.platform.unit_of_work import UnitOfWork
from memi.usage import queries
from memi.usage.bots import is_bot
from memi.usage.failures import is_their_fault, passes
from memi.usage.keys import UsageKeys
from memi.usage.schemas import Describe, EventRow, Kind, ListingFacts, Origin, Sighting, Today
from memi.usage.service import DAY_SALT

log = structlog.get_logger(__name__)
BATCH = 1000
_SECONDS = 1.0
_LAST_SECONDS = 5.0
"""How long a process that stops may take to write what it still has."""
_LAST_PAUSE = 0.2
_TRIES = 3
"""How often a batch is tried that fails by itself; a database that cannot be reached is waited for."""
_REFUSED_ALONE = 10
"""After so many refused events of a batch it is not them: what is left of it goes at once."""
_AT_ONCE = 100
_MAX_AGENT = 300
_FORWARDED = b"x-forwarded-for"
_FORWARDED_BYTES = 500
"""As much of its end as is kept: the nearest proxies write there, and what stands before can be of any length."""


class Recorder:
    """The process's buffer of events. What finds it full is counted and dropped, so that memory stays bounded."""

    def __init__(self, settings: Settings, unit_of_work: UnitOfWork, keys: UsageKeys, describe: Describe) -> None:
        self._settings = settings
        self._behind_proxies = bool(settings.trusted_proxies)
        self._room = settings.usage_buffer
        self._unit_of_work = unit_of_work
        self._keys = keys
        self._describe = describe
        self._waiting: deque[Sighting] = deque()
        self._pieces: deque[Mapping[UUID, Sighting]] = deque()
        """What is being written: a batch, or what is left of one that was cut in pieces."""
        self._batch_id: UUID | None = None
        self._tried_at: datetime | None = None
        self._tries = 0
        self._refused = 0
        self._overflows = False
        self._stopping = False
        self._full = asyncio.Event()
        self._writing = asyncio.Lock()

    def record(
        self,
        scope: Any,
        kind: Kind,
        user_id: UUID | None,
        *,
        listing_id: UUID | None = None,
        search_id: UUID | None = None,
        position: int | None = None,
        category: str | None = None,
        words: str | None = None,
        properties: str = "{}",
    ) -> None:
        """Take note of what a request (its ASGI scope) shows. Cheap, and never fails; machines are left out."""
        agent = (header_of(scope, b"user-agent") or b"")[:_MAX_AGENT]
        if is_bot(agent):
            return
        waiting = self._waiting
        if len(waiting) >= self._room:
            self._overflow()
            return
        # Whatever can wait is left to the flush: this is part of the hottest reads.
        forwarded = _forwarded(scope) if self._behind_proxies else ()
        client = scope.get("client")
        origin = (client[0] if client else None, forwarded, agent)
        waiting.append(Sighting(kind, user_id, origin, listing_id, search_id, position, category, words, properties))
        if len(waiting) >= BATCH:
            self._full.set()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Write each second, or as soon as a batch is full; at the end what is left."""
        self._stopping = False
        task = asyncio.create_task(self._run(), name="usage recorder")
        try:
            yield
        finally:
            self._stopping = True
            self._full.set()
            try:
                async with asyncio.timeout(_LAST_SECONDS):
                    await task
                    await self._finish()
            except Exception as error:
                # The process ends, whatever this was: what could not be written is told of, and lost.
                left = sum(map(len, self._pieces)) + len(self._waiting)
                metrics.USAGE_EVENTS.labels("dropped").inc(left)
                log.warning("usage_lost_at_end", error=type(error).__name__, events=left)

    async def flush(self) -> None:
        """Write all that waits by now. Raises what the database raises, and then nothing is lost of it."""
        async with self._writing:
            fresh = len(self._waiting)
            while self._pieces or fresh > 0:
                if not self._pieces:
                    batch = {new_id(): self._waiting.popleft() for _ in range(min(BATCH, fresh))}
                    fresh -= len(batch)
                    self._pieces.append(batch)
                    self._batch_id, self._tried_at, self._tries, self._refused = next(iter(batch)), None, 0, 0
                try:
                    # A database that is gone without a word would keep this waiting for ever.
                    async with asyncio.timeout(self._settings.request_seconds):
                        written = await self._write(self._pieces[0])
                except DBAPIError as error:
                    if not is_their_fault(error):
                        raise
                    self._find_refused(self._pieces.popleft())
                    continue
                self._pieces.popleft()
                self._tries, self._overflows = 0, False
                metrics.USAGE_EVENTS.labels("written").inc(written)

    def _find_refused(self, piece: Mapping[UUID, Sighting]) -> None:
        """An event that the database refuses takes no other along: halve until it is alone, and drop that."""
        items = list(piece.items())
        if len(items) == 1:
            metrics.USAGE_EVENTS.labels("dropped").inc()
            log.error("usage_event_refused", kind=items[0][1].kind)
            self._refused += 1
            if self._refused >= _REFUSED_ALONE:
                left = sum(map(len, self._pieces))
                self._pieces.clear()
                metrics.USAGE_EVENTS.labels("dropped").inc(left)
                log.error("usage_batch_refused", events=left)
            return
        middle = len(items) // 2
        self._pieces.extendleft((dict(items[middle:]), dict(items[:middle])))

    async def _run(self) -> None:
        failed = False
        while not self._stopping:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SECONDS):
                    await (asyncio.sleep(_SECONDS) if failed else self._full.wait())
            self._full.clear()
            failed = not await self._flushed()

    async def _flushed(self) -> bool:
        """Whether all that waits is written."""
        try:
            await self.flush()
        except Exception as error:
            # Whatever it was, the requests go on, and so must this.
            self._give_up_or_wait(error)
            return False
        return True

    async def _finish(self) -> None:
        while True:
            if await self._flushed():
                return
            await asyncio.sleep(_LAST_PAUSE)

    def _overflow(self) -> None:
        metrics.USAGE_EVENTS.labels("dropped").inc()
        if not self._overflows:
            self._overflows = True
            log.error("usage_buffer_full", events=self._room)

    def _give_up_or_wait(self, error: Exception) -> None:
        waiting = sum(map(len, self._pieces)) + len(self._waiting)
        if passes(error):
            log.warning("usage_delayed", error=type(error).__name__, events=waiting)
            return
        self._tries += 1
        log.error("usage_failed", error=type(error).__name__, tries=self._tries)
        if self._tries >= _TRIES:
            metrics.USAGE_EVENTS.labels("dropped").inc(len(self._pieces.popleft()))
            self._tries = 0

    async def _write(self, batch: Mapping[UUID, Sighting]) -> int:
        """How many rows the batch became, in one transaction; those of a try whose end nobody heard of stay."""
        async with self._unit_of_work() as session:
            await queries.enter(session, self._batch_id)
            now = await queries.today(session, {item.user_id for item in batch.values() if item.user_id is not None})
            if self._tried_at is not None:
                known = await queries.known(session, self._tried_at, batch)
                batch = {key: item for key, item in batch.items() if key not in known}
            self._tried_at = self._tried_at or now.at
            salt = now.salt or await queries.begin_day(session, now.day, secrets.token_bytes(DAY_SALT))
            about = {item.listing_id for item in batch.values() if item.listing_id is not None}
            rows = await self._rows(batch, now, salt, await self._describe(session, about) if about else {})
            if rows:
                await queries.add(session, rows)
        return len(rows)

    async def _rows(
        self, batch: Mapping[UUID, Sighting], now: Today, salt: bytes, facts: Mapping[UUID, ListingFacts]
    ) -> list[EventRow]:
        """Of sellers who look at their own listings nothing is kept."""
        rows: list[EventRow] = []
        visitors: dict[Origin, bytes] = {}
        for number, (key, item) in enumerate(batch.items(), 1):
            about = facts.get(item.listing_id) if item.listing_id is not None else None
            if about is None or about.seller_id != item.user_id:
                visitor = visitors.get(item.origin)
                if visitor is None:
                    visitor = visitors[item.origin] = self._visitor(item.origin, salt)
                rows.append(self._row(key, item, now, visitor, about))
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)  # requests come first
        return rows

    def _visitor(self, origin: Origin, salt: bytes) -> bytes:
        host, forwarded, agent = origin
        scope = {"client": (host, 0) if host else None, "headers": forwarded}
        return self._keys.visitor(salt, client_address(scope, self._settings), agent)

    def _row(self, key: UUID, item: Sighting, now: Today, visitor: bytes, about: ListingFacts | None) -> EventRow:
        consent = now.consents.get(item.user_id) if item.user_id is not None else None
        return EventRow(
            key,
            item.kind,
            item.listing_id,
            item.search_id,
            item.position,
            about.category if about else item.category,
            item.words,
            visitor,
            self._keys.person(consent, item.user_id) if consent and item.user_id else None,
            item.properties,
        )


def _forwarded(scope: Any) -> tuple[tuple[bytes, bytes], ...]:
    """The end of what says where the request comes from."""
    found = b",".join(value for name, value in scope["headers"] if name == _FORWARDED)
    return ((_FORWARDED, found[-_FORWARDED_BYTES:]),) if found else ()
