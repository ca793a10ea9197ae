"""Statements of what plug-ins are told about listings, and of what they flag."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from memi.listings.lifecycle import PUBLIC
from memi.listings.models import Listing, ListingFlag, ListingImage
from memi.platform.ids import new_id


async def comparables(session: AsyncSession, listing: Listing, limit: int) -> Sequence[Listing]:
    """Others of the category that are or were for sale, the newest first."""
    statement = (
        select(Listing)
        .where(
            Listing.category_id == listing.category_id,
            Listing.status.in_(sorted(PUBLIC)),
            Listing.currency == listing.currency,
            Listing.id != listing.id,
        )
        .order_by(Listing.id.desc())
        .limit(limit)
    )
    return (await session.scalars(statement)).all()


async def count_images(session: AsyncSession, listing_id: UUID) -> int:
    """At most eight."""
    statement = select(func.count()).where(ListingImage.listing_id == listing_id)
    return (await session.execute(statement)).scalar_one()


async def flag(session: AsyncSession, listing_id: UUID, kind: str, note: str | None) -> bool:
    """Have moderators look; False when a plug-in's flag of this kind is open already."""
    statement = (
        insert(ListingFlag)
        .values(id=new_id(), listing_id=listing_id, kind=kind, source="PLUGIN", note=note)
        .on_conflict_do_nothing(
            index_elements=[ListingFlag.listing_id, ListingFlag.kind],
            index_where=text("source = 'PLUGIN' AND resolved_at IS NULL"),
        )
        .returning(ListingFlag.id)
    )
    return (await session.execute(statement)).first() is not None
