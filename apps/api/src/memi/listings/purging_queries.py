"""Statements of purging what was deleted long ago."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Interval, delete, false, func, literal, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from memi.listings.lifecycle import Status
from memi.listings.models import Listing, ListingFlag

Clause = Callable[[InstrumentedAttribute[UUID]], ColumnElement[bool]]
"""Something about the listing of this id."""

# PostgreSQL 18 tells a RESTRICT from other foreign keys.
_REFERRED_TO = ("23503", "23001")


async def lock_due(
    session: AsyncSession, age: timedelta, whole: Sequence[Clause], stub: Sequence[Clause], limit: int
) -> list[tuple[Listing, bool]]:
    """(listing, whether a stub must stay) of what was deleted longer ago than `age` and is not needed `whole`.

    Locked, in the order of their ids; those that somebody else holds are left to them.
    """
    looked_at = select(ListingFlag.id).where(
        ListingFlag.listing_id == Listing.id, ListingFlag.source == "USER", ListingFlag.resolved_at.is_(None)
    )
    needed = or_(looked_at.exists(), *(clause(Listing.id) for clause in whole))
    statement = (
        select(Listing, or_(false(), *(clause(Listing.id) for clause in stub)))
        .where(
            Listing.status == Status.DELETED,
            Listing.purged_at.is_(None),
            Listing.deleted_at < func.now() - literal(age, Interval),
            ~needed,
        )
        .order_by(Listing.deleted_at)
        .limit(limit)
        .with_for_update(skip_locked=True, of=Listing)
        .execution_options(populate_existing=True)
    )
    rows = [(row[0], row[1]) for row in await session.execute(statement)]
    return sorted(rows, key=lambda row: row[0].id)


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


async def strip(session: AsyncSession, listing_id: UUID) -> None:
    """Leave what a stub shows, and the category, by which the numbers of its days are counted."""
    gone = dict.fromkeys(("condition", "size", "color", "brand", "brand_slug", "material", "city", "lat", "lon"))
    statement = (
        update(Listing)
        .where(Listing.id == listing_id)
        .values(**gone, description="", attributes={}, purged_at=func.now(), version=Listing.version + 1)
    )
    await session.execute(statement.execution_options(synchronize_session=False))


async def close_flags(session: AsyncSession, listing_id: UUID) -> None:
    """Nobody need look at it any more; that it was flagged, and as what, stays."""
    statement = (
        update(ListingFlag)
        .where(ListingFlag.listing_id == listing_id)
        .values(note=None, resolved_at=func.coalesce(ListingFlag.resolved_at, func.now()))
    )
    await session.execute(statement.execution_options(synchronize_session=False))
