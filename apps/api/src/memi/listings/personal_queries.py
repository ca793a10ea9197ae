"""Statements of giving people their listings and of erasing them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from memi.listings.models import Listing

# PostgreSQL 18 tells a RESTRICT from other foreign keys.
_REFERRED_TO = ("23503", "23001")


async def ids_of(session: AsyncSession, seller_id: UUID, after: UUID | None, limit: int) -> Sequence[UUID]:
    """Every listing of a seller in any status, in the order of their ids."""
    statement = select(Listing.id).where(Listing.seller_id == seller_id).order_by(Listing.id).limit(limit)
    if after is not None:
        statement = statement.where(Listing.id > after)
    return (await session.scalars(statement)).all()


async def remove(session: AsyncSession, listing: Listing) -> bool:
    """Remove it with all that hangs from it; False, and nothing changed, when a chat or a deal is about it."""
    statement = delete(Listing).where(Listing.id == listing.id).execution_options(synchronize_session=False)
    try:
        async with session.begin_nested():
            await session.execute(statement)
    except IntegrityError as error:
        if getattr(error.orig, "sqlstate", None) not in _REFERRED_TO:
            raise
        return False
    session.expunge(listing)
    return True


async def reduce(session: AsyncSession, listing_id: UUID) -> None:
    """What is left shows an item, and nothing that says who sold it or where."""
    statement = (
        update(Listing)
        .where(Listing.id == listing_id)
        .values(description="", city=None, lat=None, lon=None, version=Listing.version + 1)
    )
    await session.execute(statement.execution_options(synchronize_session=False))
