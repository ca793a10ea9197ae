"""Moves: every change of status, and the one hold an item can have. All of them expect the listing locked."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Interval, func, literal
from sqlalchemy.ext.asyncio import AsyncSession

from memi.listings import queries
from memi.listings.errors import IllegalTransition, ListingPurged
from memi.listings.events import ListingChanged, ListingMoved, Move
from memi.listings.lifecycle import RETURNABLE, Actor, Status, allowed_moves, check_move, remembered
from memi.listings.models import Listing, ListingHold
from memi.platform.errors import NotFound
from memi.platform.events import publish
from memi.platform.settings import Settings
from memi.platform.unit_of_work import adapters_of
from memi.users import service as users

NOTICE = timedelta(days=3)
"""How long before a listing expires its seller is told."""
HoldKind = Literal["MANUAL", "RESERVATION", "ORDER"]
When = datetime | ColumnElement[datetime]


async def lock(session: AsyncSession, listing_id: UUID) -> Listing:
    """The listing, locked until the end of the unit of work; raises `NotFound`."""
    listing = await queries.lock(session, listing_id)
    if listing is None:
        raise NotFound
    return listing


async def lock_together(session: AsyncSession, listing_ids: Collection[UUID]) -> None:
    """Lock these listings in the order of their ids; unknown ones are passed over."""
    await queries.lock_together(session, listing_ids)


async def move(
    session: AsyncSession,
    listing: Listing,
    name: Move,
    by: Actor,
    *,
    holder_id: UUID | None = None,
    reference_id: UUID | None = None,
) -> None:
    """Make a move of the lifecycle table, end the hold it ends, count it and tell of it; raises `IllegalTransition`.

    `holder_id` and `reference_id` are those of a hold that begins; of one that ends they are read from it.
    """
    before = listing.status
    after = check_move(before, name, by, listing.previous_status)
    if before == Status.RESERVED:
        ended = await queries.lock_hold(session, listing.id)
        if ended is not None:
            holder_id, reference_id = ended.holder_id, ended.reference_id
            await session.delete(ended)
    listing.status = after.value
    listing.previous_status = remembered(before).value if after in RETURNABLE else None
    listing.version += 1
    _stamp(session, listing, name, after)
    await session.flush()
    await users.count_listing_move(
        session,
        listing.seller_id,
        active=(after == Status.ACTIVE) - (before == Status.ACTIVE),
        sold=(after == Status.SOLD) - (before == Status.SOLD),
    )
    publish(
        session,
        ListingMoved(listing.id, listing.seller_id, name, before, after.value, holder_id, reference_id),
    )
    publish(session, ListingChanged(listing.id, listing.seller_id))


def _stamp(session: AsyncSession, listing: Listing, name: Move, after: Status) -> None:
    """The times that a move sets, by the database's clock."""
    now = func.now()
    if name in ("publish", "relist"):
        days = adapters_of(session).get(Settings).listing_days
        # Hiding a listing and showing it again must not bring it to the top; listing it anew after its days may.
        if listing.published_at is None or name == "relist":
            listing.published_at = now
        listing.expires_at = now + literal(timedelta(days=days), Interval)
        listing.expiry_notice_at = None
    elif after == Status.ACTIVE:
        # It may come back after its days are over: its seller has the time of a notice to see it.
        listing.expires_at = func.greatest(Listing.expires_at, now + literal(NOTICE, Interval))
    elif after == Status.DRAFT:
        listing.expires_at = None
    if name == "sold":
        listing.sold_at = now
    if after == Status.DELETED:
        listing.deleted_at = now
    elif name == "undelete":
        listing.deleted_at = None


async def hold(
    session: AsyncSession,
    listing: Listing,
    *,
    kind: HoldKind,
    holder_id: UUID | None,
    reference_id: UUID | None,
    expires_at: When | None,
    by: Actor = Actor.SYSTEM,
) -> None:
    """Take the one hold: ACTIVE becomes RESERVED; raises `IllegalTransition` from any other status."""
    await move(session, listing, "reserve", by, holder_id=holder_id, reference_id=reference_id)
    session.add(
        ListingHold(
            listing_id=listing.id, kind=kind, holder_id=holder_id, reference_id=reference_id, expires_at=expires_at
        )
    )
    await session.flush()


async def release(session: AsyncSession, listing: Listing, *, reference_id: UUID) -> bool:
    """End the hold of `reference_id`: RESERVED becomes ACTIVE. False, and nothing changed, when it is not the one."""
    held = await queries.lock_hold(session, listing.id)
    if held is None or held.reference_id != reference_id:
        return False
    await move(session, listing, "unreserve", Actor.SYSTEM)
    return True


async def held_for(session: AsyncSession, listing: Listing) -> UUID | None:
    """The reference of the hold, which is locked from now on; None also for a manual one."""
    held = await queries.lock_hold(session, listing.id)
    return None if held is None else held.reference_id


async def hand_over(
    session: AsyncSession, listing: Listing, *, reference_id: UUID, to: UUID, kind: HoldKind, expires_at: datetime
) -> bool:
    """Pass the hold of `reference_id` on to another claim of the same holder; the item is never free in between.

    False, and nothing changed, when it is not the one.
    """
    held = await queries.lock_hold(session, listing.id)
    if held is None or held.reference_id != reference_id:
        return False
    held.kind, held.reference_id, held.expires_at = kind, to, expires_at
    await session.flush()
    return True


async def sell(session: AsyncSession, listing: Listing, *, reference_id: UUID | None) -> None:
    """ACTIVE or RESERVED becomes SOLD and its hold ends.

    Raises `IllegalTransition`, also when the item is held for another reference than the one it is sold for.
    """
    held = await queries.lock_hold(session, listing.id)
    if reference_id is not None and held is not None and held.reference_id != reference_id:
        raise IllegalTransition("sold", listing.status, allowed_moves(listing.status, Actor.SYSTEM))
    await move(session, listing, "sold", Actor.SYSTEM, reference_id=reference_id)


async def remove(session: AsyncSession, listing_id: UUID) -> Listing:
    """A moderator takes it down; raises `NotFound` or `IllegalTransition`."""
    return await _by_staff(session, listing_id, "remove")


async def restore(session: AsyncSession, listing_id: UUID) -> Listing:
    """A moderator puts it back to what it was; raises `NotFound` or `IllegalTransition`."""
    return await _by_staff(session, listing_id, "restore")


async def undelete(session: AsyncSession, listing_id: UUID) -> Listing:
    """An administrator undoes its owner's deletion; raises `NotFound`, `ListingPurged` or `IllegalTransition`."""
    return await _by_staff(session, listing_id, "undelete")


async def _by_staff(session: AsyncSession, listing_id: UUID, name: Move) -> Listing:
    listing = await lock(session, listing_id)
    if name == "undelete" and listing.purged_at is not None:
        raise ListingPurged
    await move(session, listing, name, Actor.MODERATOR)
    return listing
