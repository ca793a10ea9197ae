"""Statements about single flags."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Interval, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from memi.listings.models import ListingFlag


async def open_of_kind(session: AsyncSession, listing_id: UUID, kind: str) -> ListingFlag | None:
    """One that people raised."""
    return await session.scalar(
        select(ListingFlag).where(
            ListingFlag.listing_id == listing_id,
            ListingFlag.kind == kind,
            ListingFlag.source == "USER",
            ListingFlag.resolved_at.is_(None),
        )
    )


async def lock(session: AsyncSession, listing_id: UUID, flag_id: UUID) -> ListingFlag | None:
    """The flag of this listing, locked until the end of the unit of work."""
    statement = select(ListingFlag).where(ListingFlag.id == flag_id, ListingFlag.listing_id == listing_id)
    return await session.scalar(statement.with_for_update().execution_options(populate_existing=True))


async def resolve(session: AsyncSession, listing_id: UUID, flag_id: UUID | None) -> Sequence[ListingFlag]:
    """Close this open flag of a listing, or all of them; the ones that were closed now, oldest first."""
    statement = (
        update(ListingFlag)
        .where(ListingFlag.listing_id == listing_id, ListingFlag.resolved_at.is_(None))
        .values(resolved_at=func.clock_timestamp())
        .returning(ListingFlag)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    if flag_id is not None:
        statement = statement.where(ListingFlag.id == flag_id)
    return sorted((await session.scalars(statement)).all(), key=lambda flag: flag.id)


async def forget_notes(session: AsyncSession, age: timedelta, limit: int) -> int:
    """Take away what was noted on flags that were resolved longer than `age` ago; how many there were."""
    due = (
        select(ListingFlag.id)
        .where(ListingFlag.note.is_not(None), ListingFlag.resolved_at < func.now() - literal(age, Interval))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    statement = update(ListingFlag).where(ListingFlag.id.in_(due)).values(note=None).returning(ListingFlag.id)
    return len((await session.scalars(statement.execution_options(synchronize_session=False))).all())
