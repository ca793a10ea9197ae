"""Every statement of the listings feature."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Interval, delete, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from memi.listings.lifecycle import PUBLIC, Status
from memi.listings.models import Listing, ListingCounters, ListingHold, ListingImage

Whole = tuple[Listing, int, int]
"""A listing with its favourites and views."""


async def by_id(session: AsyncSession, listing_id: UUID) -> Listing | None:
    return await session.scalar(
        select(Listing).where(Listing.id == listing_id).execution_options(populate_existing=True)
    )


async def lock(session: AsyncSession, listing_id: UUID) -> Listing | None:
    """The listing, locked until the end of the unit of work."""
    return await session.scalar(
        select(Listing).where(Listing.id == listing_id).with_for_update().execution_options(populate_existing=True)
    )


async def lock_together(session: AsyncSession, listing_ids: Collection[UUID]) -> None:
    await session.execute(select(Listing.id).where(Listing.id.in_(listing_ids)).order_by(Listing.id).with_for_update())


async def lock_owned(session: AsyncSession, listing_id: UUID, owner_id: UUID) -> Listing | None:
    """The listing, locked, if it is this person's and not purged: a stranger's attempt takes no lock."""
    return await session.scalar(
        select(Listing)
        .where(Listing.id == listing_id, Listing.seller_id == owner_id, Listing.purged_at.is_(None))
        .with_for_update()
        .execution_options(populate_existing=True)
    )


async def lock_hold(session: AsyncSession, listing_id: UUID) -> ListingHold | None:
    """The listing's hold, locked; lock the listing first."""
    return await session.scalar(
        select(ListingHold)
        .where(ListingHold.listing_id == listing_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


async def lock_reserved_of(session: AsyncSession, seller_id: UUID) -> Sequence[Listing]:
    """A seller's RESERVED listings, locked in the order of their keys."""
    statement = (
        select(Listing)
        .where(Listing.seller_id == seller_id, Listing.status == Status.RESERVED)
        .order_by(Listing.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(statement)).all()


async def lock_expired(session: AsyncSession, limit: int) -> Sequence[Listing]:
    """ACTIVE listings whose days are over by the database's clock; rows another worker holds are left to it."""
    statement = (
        select(Listing)
        .where(Listing.status == Status.ACTIVE, Listing.expires_at <= func.now())
        .order_by(Listing.expires_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    found = (await session.scalars(statement)).all()
    # Sellers' counters are touched one after another: always in the same order, so that two workers never cross.
    return sorted(found, key=lambda listing: (listing.seller_id, listing.id))


async def claim_expiring(session: AsyncSession, lead: timedelta, limit: int) -> list[tuple[UUID, UUID]]:
    """(listing, seller) of ACTIVE listings within `lead` of their end and not yet noticed; each is claimed once."""
    due = (
        select(Listing.id)
        .where(
            Listing.status == Status.ACTIVE,
            Listing.expires_at <= func.now() + literal(lead, Interval),
            Listing.expiry_notice_at.is_(None),
        )
        .order_by(Listing.expires_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    statement = (
        update(Listing)
        .where(Listing.id.in_(due))
        .values(expiry_notice_at=func.now())
        .returning(Listing.id, Listing.seller_id)
        .execution_options(synchronize_session=False)
    )
    return [(row.id, row.seller_id) for row in await session.execute(statement)]


async def public_of(session: AsyncSession, seller_id: UUID, after: UUID | None, limit: int) -> Sequence[UUID]:
    """A seller's listings that others can read, by key, following `after`."""
    statement = select(Listing.id).where(Listing.seller_id == seller_id, Listing.status.in_(sorted(PUBLIC)))
    if after is not None:
        statement = statement.where(Listing.id > after)
    return (await session.scalars(statement.order_by(Listing.id).limit(limit))).all()


async def owned(
    session: AsyncSession, seller_id: UUID, status: str | None, before: UUID | None, limit: int
) -> Sequence[UUID]:
    """One's own listings, newest first; without a status all but the deleted. What is purged is nobody's to see."""
    statement = select(Listing.id).where(Listing.seller_id == seller_id, Listing.purged_at.is_(None))
    statement = statement.where(Listing.status == status if status else Listing.status != Status.DELETED)
    if before is not None:
        statement = statement.where(Listing.id < before)
    return (await session.scalars(statement.order_by(Listing.id.desc()).limit(limit))).all()


async def whole(session: AsyncSession, listing_ids: Sequence[UUID]) -> list[Whole]:
    """Listings with their counters, as the database has them now."""
    statement = (
        select(Listing, ListingCounters.favorite_count, ListingCounters.view_count)
        .outerjoin(ListingCounters, ListingCounters.listing_id == Listing.id)
        .where(Listing.id.in_(listing_ids))
        .execution_options(populate_existing=True)
    )
    return [(row[0], row[1] or 0, row[2] or 0) for row in await session.execute(statement)]


async def images(session: AsyncSession, listing_ids: Sequence[UUID]) -> Sequence[ListingImage]:
    """The pictures of these listings, in each one's order."""
    statement = (
        select(ListingImage)
        .where(ListingImage.listing_id.in_(listing_ids))
        .order_by(ListingImage.listing_id, ListingImage.position)
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(statement)).all()


async def replace_images(session: AsyncSession, listing_id: UUID, chosen: Sequence[tuple[UUID, str | None]]) -> None:
    """Set the pictures (upload, text) of a listing, in this order."""
    await session.execute(
        delete(ListingImage).where(ListingImage.listing_id == listing_id).execution_options(synchronize_session=False)
    )
    rows = [
        {"listing_id": listing_id, "position": position, "upload_id": upload_id, "alt": alt}
        for position, (upload_id, alt) in enumerate(chosen)
    ]
    if rows:
        await session.execute(insert(ListingImage), rows)


async def add_favorites(session: AsyncSession, listing_id: UUID, difference: int) -> None:
    """Move the counter; the row's lock makes rivals wait, so that none is lost."""
    await session.execute(
        update(ListingCounters)
        .where(ListingCounters.listing_id == listing_id)
        .values(favorite_count=ListingCounters.favorite_count + difference)
        .execution_options(synchronize_session=False)
    )


async def showing(session: AsyncSession, upload_id: UUID) -> list[tuple[UUID, UUID]]:
    """(listing, seller) of every listing that shows this upload; those others can read get a new version."""
    shown_by = select(ListingImage.listing_id).where(ListingImage.upload_id == upload_id)
    await session.execute(
        update(Listing)
        .where(Listing.id.in_(shown_by), Listing.status.in_(sorted(PUBLIC)))
        .values(version=Listing.version + 1)
        .execution_options(synchronize_session=False)
    )
    rows = await session.execute(select(Listing.id, Listing.seller_id).where(Listing.id.in_(shown_by)))
    return [(row.id, row.seller_id) for row in rows]


def favorite_count_of(listing_id: ColumnElement[UUID] | InstrumentedAttribute[UUID]) -> ColumnElement[int]:
    """Lent clause: the favourites of the row's listing."""
    counted = select(ListingCounters.favorite_count).where(ListingCounters.listing_id == listing_id)
    return func.coalesce(counted.scalar_subquery(), 0)


def view_count_of(listing_id: ColumnElement[UUID] | InstrumentedAttribute[UUID]) -> ColumnElement[int]:
    """Lent clause: the views of the row's listing."""
    counted = select(ListingCounters.view_count).where(ListingCounters.listing_id == listing_id)
    return func.coalesce(counted.scalar_subquery(), 0)
