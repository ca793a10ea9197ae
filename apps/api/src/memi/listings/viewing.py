"""What use tells of listings: the facts that events of theirs keep, and how often each was viewed."""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.catalog import service as catalog
from memi.listings import viewing_queries as queries
from memi.platform.jobs import recurring
from memi.platform.runtime import Runtime
from memi.usage import service as usage
from memi.usage.schemas import ListingFacts

BATCH = 20_000
"""Events looked at in one unit of work."""


async def facts(session: AsyncSession, listing_ids: Collection[UUID]) -> dict[UUID, ListingFacts]:
    """Whose these listings are, and their categories; those that are gone are absent."""
    snapshot = await catalog.snapshot(session)
    found: dict[UUID, ListingFacts] = {}
    for listing_id, seller_id, category_id in await queries.owners(session, listing_ids):
        node = snapshot.category_by_id(category_id) if category_id is not None else None
        found[listing_id] = ListingFacts(seller_id, node.slug if node else None)
    return found


@recurring(timedelta(seconds=30))
async def count_views(runtime: Runtime) -> None:
    """Add to each listing's counter who has viewed it anew. The counters move with the mark up to which they count."""
    async with runtime.unit_of_work() as session:
        upto = await usage.all_written(session)
    more = True
    while more:
        async with runtime.unit_of_work() as session:
            views = await usage.take_views(session, upto, BATCH)
            await queries.add_views(session, views.by_listing)
        more = views.more
