"""The catalogue for the features above: a snapshot kept per process, read again when its edition changes."""

import asyncio
import time
from bisect import bisect_right
from datetime import timedelta

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from memi.catalog import queries
from memi.catalog.schemas import BrandQuery, BrandRead
from memi.catalog.snapshot import BrandEntry, CatalogRows, CatalogSnapshot
from memi.platform.cursors import CursorSigner, Page
from memi.platform.errors import InvalidCursor
from memi.platform.folding import fold
from memi.platform.hot_pool import HotPool
from memi.platform.pubsub import Broker
from memi.platform.unit_of_work import adapters_of, poke_after_commit

TOPIC = "catalog"
_RECHECK_SECONDS = 30.0
UNTIL_ALL_KNOW = timedelta(seconds=_RECHECK_SECONDS + 10)
"""After a change, even of processes that missed its poke."""
_NEVER = float("-inf")
_MOST_FOUND = 20
_BRANDS = "brands"


class Catalog:
    """The process's snapshot. It asks for the edition on a poke and every 30 seconds, and reads all if that changed."""

    def __init__(self, pool: HotPool, broker: Broker, *, recheck_seconds: float = _RECHECK_SECONDS) -> None:
        self._pool = pool
        self._recheck_seconds = recheck_seconds
        self._snapshot: CatalogSnapshot | None = None
        self._checked = _NEVER
        self._reading = asyncio.Lock()
        broker.subscribe(TOPIC, self._forget_check)

    async def snapshot(self) -> CatalogSnapshot:
        """The present edition; costs no statement while the last check is fresh."""
        kept = self._snapshot
        if kept is not None and time.monotonic() - self._checked < self._recheck_seconds:
            return kept
        async with self._reading:
            return await self._refresh()

    async def newest(self) -> CatalogSnapshot:
        """The edition that the database has now; costs a statement."""
        self._forget_check(None)
        return await self.snapshot()

    async def _refresh(self) -> CatalogSnapshot:
        kept = self._snapshot
        started = time.monotonic()
        if kept is not None and started - self._checked < self._recheck_seconds:
            return kept  # somebody else read it while this caller waited
        # Set before reading, so that a poke that comes meanwhile is not lost.
        self._checked = started
        try:
            if kept is None or await queries.read_edition(self._pool) != kept.edition:
                rows = msgspec.json.decode(await queries.read_all(self._pool), type=CatalogRows)
                kept = self._snapshot = CatalogSnapshot(rows)
        except BaseException:  # also when cancelled: nothing was read, so the next one must
            self._checked = _NEVER
            raise
        return kept

    def _forget_check(self, _key: str | None) -> None:
        self._checked = _NEVER


async def snapshot(session: AsyncSession) -> CatalogSnapshot:
    """The catalogue as this process knows it, at most 30 seconds old."""
    return await adapters_of(session).get(Catalog).snapshot()


async def newest(session: AsyncSession) -> CatalogSnapshot:
    """The catalogue as it is committed now, and as this process knows it from here on."""
    return await adapters_of(session).get(Catalog).newest()


def changed(session: AsyncSession) -> None:
    """Have every process read the catalogue again once this unit has committed."""
    poke_after_commit(session, TOPIC, "")


async def find_brands(
    pool: HotPool, cursors: CursorSigner, catalog: CatalogSnapshot, query: BrandQuery
) -> Page[BrandRead]:
    """A page of brands; a search is one page of at most 20. Raises `InvalidCursor`."""
    if query.q is None:
        return _brands_by_name(cursors, catalog, query)
    if query.cursor is not None:
        raise InvalidCursor  # a search has no second page
    wanted = fold(query.q)
    found = await queries.search_brands(pool, wanted, min(query.limit, _MOST_FOUND)) if wanted else []
    return Page([BrandRead(slug, name) for slug, name in found], None)


def _brands_by_name(cursors: CursorSigner, catalog: CatalogSnapshot, query: BrandQuery) -> Page[BrandRead]:
    start = 0
    if query.cursor is not None:
        after = cursors.decode(_BRANDS, query.cursor, (str, str))
        start = bisect_right(catalog.brands, after, key=_place)
    items = catalog.brands[start : start + query.limit]
    more = start + query.limit < len(catalog.brands)
    return Page(
        [BrandRead(brand.slug, brand.name) for brand in items],
        cursors.encode(_BRANDS, *_place(items[-1])) if more else None,
    )


def _place(brand: BrandEntry) -> tuple[str, str]:
    """Where a brand stands; text sorts by code point here and in the database alike."""
    return brand.name, brand.slug
