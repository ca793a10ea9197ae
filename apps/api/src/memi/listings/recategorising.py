"""Moving listings out of a category that goes. In any status: nothing may refer to it in the end."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.catalog import service as catalog
from memi.catalog.attributes import check_attributes
from memi.listings import walking_queries as queries
from memi.listings.events import ListingChanged
from memi.platform.events import publish


async def move_some(session: AsyncSession, source: UUID, target: UUID, limit: int) -> int:
    """Move at most `limit` listings, keeping of their attributes what fits; how many there were."""
    snapshot = await catalog.newest(session)
    node = snapshot.category_by_id(target)
    schema = node.schema if node else ()
    found = await queries.lock_in_category(session, source, limit)
    for listing in found:
        listing.category_id = target
        listing.attributes, _ = check_attributes(schema, listing.attributes, require=False)
        listing.version += 1
        publish(session, ListingChanged(listing.id, listing.seller_id))
    await session.flush()
    return len(found)
