"""The consumer of `search_events`."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.jobs import recurring
from memi.platform.runtime import Runtime
from memi.platform.unit_of_work import adapters_of
from memi.search import queries
from memi.search.engine import Change, SearchEngine

BATCH = 500
KEPT = timedelta(days=1)


@recurring(timedelta(seconds=5))
async def consume_search_events(runtime: Runtime) -> None:
    """Hand every unprocessed change to the search engine. A crash in between hands it over again."""
    while True:
        async with runtime.unit_of_work() as session:
            if await consume(session) < BATCH:
                return


async def consume(session: AsyncSession) -> int:
    """One batch; returns how many events it had. Rows are claimed, never "those after the last": ids commit late."""
    events = await queries.claim_events(session, BATCH)
    if not events:
        return 0
    latest: dict[object, Change] = {}
    for event in events:
        known = latest.get(event.listing_id)
        if known is None or known.version <= event.version:
            latest[event.listing_id] = Change(event.kind, event.listing_id, event.version)  # pyright: ignore[reportArgumentType]  # checked by the table
    engine = adapters_of(session).get(SearchEngine)  # pyright: ignore[reportAbstractUsage]
    await engine.apply(session, list(latest.values()))
    await queries.mark_processed(session, [event.id for event in events])
    return len(events)


@recurring(timedelta(minutes=10))
async def prune_search_events(runtime: Runtime) -> None:
    """Forget changes that were taken in more than a day ago."""
    while True:
        async with runtime.unit_of_work() as session:
            if await queries.prune_events(session, KEPT, BATCH * 10) < BATCH * 10:
                return
