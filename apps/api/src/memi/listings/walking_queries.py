"""Statements of walking through listings."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from memi.listings.models import Listing


async def following(
    session: AsyncSession, after: UUID | None, limit: int, categories: Collection[UUID] | None
) -> Sequence[UUID]:
    statement = select(Listing.id).order_by(Listing.id).limit(limit)
    if after is not None:
        statement = statement.where(Listing.id > after)
    if categories is not None:
        statement = statement.where(Listing.category_id.in_(categories))
    return (await session.scalars(statement)).all()


async def hold_still(session: AsyncSession, listing_ids: Collection[UUID]) -> Sequence[UUID]:
    """Shared locks: whoever changes one of them waits, whoever else only looks does not."""
    statement = select(Listing.id).where(Listing.id.in_(listing_ids)).order_by(Listing.id).with_for_update(read=True)
    return (await session.scalars(statement)).all()


async def lock_in_category(session: AsyncSession, category_id: UUID, limit: int) -> Sequence[Listing]:
    """The first ones right in this category, in any status, locked in the order of their ids."""
    statement = select(Listing).where(Listing.category_id == category_id).order_by(Listing.id).limit(limit)
    return (await session.scalars(statement.with_for_update().execution_options(populate_existing=True))).all()


async def estimate(session: AsyncSession) -> int:
    found = await session.scalar(text("SELECT reltuples::bigint FROM pg_class WHERE oid = 'listings'::regclass"))
    return max(0, int(found or 0))
