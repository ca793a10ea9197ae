"""Statements of moderation."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from memi.listings.models import Listing, ListingFlag
from memi.platform.paging import Found, Place
from memi.platform.paging_queries import page_of


@dataclass(frozen=True)
class ListingSearch:
    """What is given must fit. `flag`: an open one of this kind; `flagged`: any open one, or none."""

    status: str | None = None
    seller_id: UUID | None = None
    flag: str | None = None
    flagged: bool | None = None


async def find(session: AsyncSession, wanted: ListingSearch, place: Place) -> Found[UUID]:
    """Ids, which are time-ordered, newest first."""
    statement = select(Listing.id)
    if wanted.status is not None:
        statement = statement.where(Listing.status == wanted.status)
    if wanted.seller_id is not None:
        statement = statement.where(Listing.seller_id == wanted.seller_id)
    still_open = select(ListingFlag.listing_id).where(ListingFlag.resolved_at.is_(None))
    if wanted.flag is not None:
        statement = statement.where(Listing.id.in_(still_open.where(ListingFlag.kind == wanted.flag)))
    if wanted.flagged is not None:
        statement = statement.where(Listing.id.in_(still_open) if wanted.flagged else Listing.id.not_in(still_open))
    return await page_of(session, statement, place, Listing.id)


async def purged(session: AsyncSession, listing_ids: Sequence[UUID]) -> dict[UUID, datetime]:
    statement = select(Listing.id, Listing.purged_at).where(Listing.id.in_(listing_ids))
    return {row.id: row.purged_at for row in await session.execute(statement.where(Listing.purged_at.is_not(None)))}


async def flags_of(session: AsyncSession, listing_ids: Sequence[UUID]) -> Sequence[ListingFlag]:
    """Resolved ones too, newest first."""
    statement = select(ListingFlag).where(ListingFlag.listing_id.in_(listing_ids)).order_by(ListingFlag.id.desc())
    return (await session.scalars(statement)).all()
