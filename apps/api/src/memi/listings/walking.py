"""Walking through many listings in the order of their ids, for features above that follow all of them."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.listings import walking_queries as queries


async def following(
    session: AsyncSession, after: UUID | None, limit: int, *, categories: Collection[UUID] | None = None
) -> Sequence[UUID]:
    """The next ids after one, in any status, of all listings or of those right in these categories."""
    return await queries.following(session, after, limit, categories)


async def hold_still(session: AsyncSession, listing_ids: Collection[UUID]) -> Sequence[UUID]:
    """Keep these listings as they are until the end of the unit of work; the ids of those that there are."""
    return await queries.hold_still(session, listing_ids)


async def estimate(session: AsyncSession) -> int:
    """About how many listings there are, without counting."""
    return await queries.estimate(session)
