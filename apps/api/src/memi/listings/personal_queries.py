"""Statements of giving people their listings and of erasing them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from memi.listings.models import Listing


async def ids_of(session: AsyncSession, seller_id: UUID, after: UUID | None, limit: int) -> Sequence[UUID]:
    """Every listing of a seller in any status, in the order of their ids."""
    statement = select(Listing.id).where(Listing.seller_id == seller_id).order_by(Listing.id).limit(limit)
    if after is not None:
        statement = statement.where(Listing.id > after)
    return (await session.scalars(statement)).all()


async def reduce(session: AsyncSession, listing_id: UUID) -> None:
    """What is left shows an item, and nothing that says who sold it or where."""
    statement = (
        update(Listing)
        .where(Listing.id == listing_id)
        .values(description="", city=None, lat=None, lon=None, version=Listing.version + 1)
    )
    await session.execute(statement.execution_options(synchronize_session=False))
