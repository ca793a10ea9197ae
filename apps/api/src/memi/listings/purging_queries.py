"""Statements of purging what was deleted long ago."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Interval, and_, delete, exists, false, func, literal, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from memi.listings.lifecycle import Status
from memi.listings.models import Listing, ListingFlag
from memi.platform import removal_queries

Clause = Callable[[InstrumentedAttribute[UUID]], ColumnElement[bool]]
"""Something about the listing of this id."""


async def due(
    session: AsyncSession, age: timedelta, whole: Sequence[Clause], after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[tuple[datetime, UUID]]:
    """(time, id) of what was deleted longer ago than `age` and is not needed `whole`, following `after`."""
    statement = select(Listing.deleted_at, Listing.id).where(_is_due(age, whole))
    if after is not None:
        statement = statement.where(tuple_(Listing.deleted_at, Listing.id) > after)
    found = await session.execute(statement.order_by(Listing.deleted_at, Listing.id).limit(limit))
    return [(deleted_at, listing_id) for deleted_at, listing_id in found if deleted_at is not None]


async def lock(session: AsyncSession, listing_id: UUID) -> bool:
    """Lock it unless somebody else holds it, or it is gone; whether it is locked now."""
    statement = select(Listing.id).where(Listing.id == listing_id).with_for_update(skip_locked=True)
    return await session.scalar(statement) is not None


async def still_due(
    session: AsyncSession, listing_id: UUID, age: timedelta, whole: Sequence[Clause], stub: Sequence[Clause]
) -> tuple[Listing, bool] | None:
    """(listing, whether a stub must stay) of a listing that was locked before; None when it must not be purged."""
    must_stay = or_(false(), *(clause(Listing.id) for clause in stub))
    statement = select(Listing, must_stay).where(Listing.id == listing_id, _is_due(age, whole))
    row = (await session.execute(statement.execution_options(populate_existing=True))).first()
    return None if row is None else (row[0], row[1])


def _is_due(age: timedelta, whole: Sequence[Clause]) -> ColumnElement[bool]:
    looked_at = exists().where(
        ListingFlag.listing_id == Listing.id, ListingFlag.source == "USER", ListingFlag.resolved_at.is_(None)
    )
    return and_(
        Listing.status == Status.DELETED,
        Listing.purged_at.is_(None),
        Listing.deleted_at < func.now() - literal(age, Interval),
        ~or_(looked_at, *(clause(Listing.id) for clause in whole)),
    )


async def remove(session: AsyncSession, listing: Listing) -> bool:
    """Remove it with all that hangs from it; False, and nothing changed, when a chat or a deal is about it."""
    return await removal_queries.remove(session, listing, delete(Listing).where(Listing.id == listing.id))


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
