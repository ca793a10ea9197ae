"""Statements of moderation."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from memi.listings.models import Listing, ListingFlag


async def find(
    session: AsyncSession,
    *,
    status: str | None,
    seller_id: UUID | None,
    flag: str | None,
    before: UUID | None,
    limit: int,
) -> Sequence[UUID]:
    """Ids, which are time-ordered, newest first."""
    statement = select(Listing.id).order_by(Listing.id.desc()).limit(limit)
    if status is not None:
        statement = statement.where(Listing.status == status)
    if seller_id is not None:
        statement = statement.where(Listing.seller_id == seller_id)
    if flag is not None:
        flagged = select(ListingFlag.listing_id).where(ListingFlag.kind == flag, ListingFlag.resolved_at.is_(None))
        statement = statement.where(Listing.id.in_(flagged))
    if before is not None:
        statement = statement.where(Listing.id < before)
    return (await session.scalars(statement)).all()


async def flags_of(session: AsyncSession, listing_ids: Sequence[UUID]) -> Sequence[ListingFlag]:
    """Resolved ones too, newest first."""
    statement = select(ListingFlag).where(ListingFlag.listing_id.in_(listing_ids)).order_by(ListingFlag.id.desc())
    return (await session.scalars(statement)).all()
