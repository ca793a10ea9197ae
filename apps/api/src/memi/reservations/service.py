"""Rules of reservations. Locks are taken in one order: listing, hold, reservation, chat."""

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from memi.chat import service as chats
from memi.chat.errors import ChatBlocked
from memi.listings import service as listings
from memi.listings.lifecycle import BROWSABLE
from memi.listings.lifecycle import Status as ListingStatus
from memi.listings.models import Listing
from memi.platform.clock_queries import in_hours
from memi.platform.cursors import CursorSigner, Page
from memi.platform.errors import InvalidToken, NotFound, StaleVersion
from memi.platform.events import publish
from memi.platform.settings import Settings
from memi.platform.unit_of_work import adapters_of, poke_after_commit
from memi.reservations import queries
from memi.reservations.errors import (
    HasOrder,
    IllegalTransition,
    ListingUnavailable,
    ReservationExists,
    SellerCannotReserve,
)
from memi.reservations.events import Reason, ReservationChanged
from memi.reservations.guards import OwnReservation
from memi.reservations.lifecycle import Move, Side, Status, change_of, check_move, check_side
from memi.reservations.models import Reservation
from memi.reservations.schemas import Party, ReservationQuery, ReservationRead
from memi.users import service as users
from memi.users.errors import NotVerified

TOPIC = "reservations"
"""Poked with the ids of both people after a reservation of theirs changed."""


async def request(session: AsyncSession, listing_id: UUID, buyer_id: UUID, message: str | None) -> Reservation:
    """Ask the seller to keep an item; opens the chat about it if there is none.

    Raises `NotFound`, `SellerCannotReserve`, `ListingUnavailable`, `ReservationExists`, `ChatBlocked`, `NotVerified`.
    """
    seen = await listings.visible(session, listing_id, buyer_id)
    if seen.seller_id == buyer_id:
        raise SellerCannotReserve
    if await users.blocked_between(session, buyer_id, seen.seller_id):
        raise ChatBlocked
    listing = await listings.lock(session, listing_id)
    await listings.held_for(session, listing)
    await _end_lapsed_of(session, listing, buyer_id)
    if listing.status not in BROWSABLE:
        raise ListingUnavailable(listing.status)
    chat = await chats.open_chat(session, listing, buyer_id)
    if chat.buyer_blocked_at is not None or chat.seller_blocked_at is not None:
        raise ChatBlocked
    hours = adapters_of(session).get(Settings).reservation_request_hours
    reservation = Reservation(
        listing_id=listing.id,
        buyer_id=buyer_id,
        seller_id=listing.seller_id,
        chat_id=chat.id,
        message=message,
        expires_at=await in_hours(session, hours),
    )
    session.add(reservation)
    await session.flush()
    await session.refresh(reservation)
    await check_people(session, reservation.buyer_id, reservation.seller_id)
    await _tell(session, reservation, buyer_id)
    return reservation


async def accept(session: AsyncSession, own: OwnReservation, expected: int | None) -> Reservation:
    """Keep the item for this buyer: takes the listing's one hold. Other requests wait.

    Raises `ListingUnavailable` while the item is held for someone else.
    """
    listing, reservation, target = await _begin(session, own, "accept", expected)
    if listing.status != ListingStatus.ACTIVE:
        raise ListingUnavailable(listing.status)
    hours = adapters_of(session).get(Settings).reservation_hold_hours
    ends = await in_hours(session, hours)
    await listings.hold(
        session,
        listing,
        kind="RESERVATION",
        holder_id=reservation.buyer_id,
        reference_id=reservation.id,
        expires_at=ends,
    )
    reservation.accepted_at = cast(Any, func.now())
    reservation.expires_at = ends
    return await _finish(session, reservation, target, own.caller_id)


async def reject(session: AsyncSession, own: OwnReservation, expected: int | None) -> Reservation:
    """The seller says no."""
    _, reservation, target = await _begin(session, own, "reject", expected)
    return await _finish(session, reservation, target, own.caller_id)


async def cancel(session: AsyncSession, own: OwnReservation, expected: int | None) -> Reservation:
    """The buyer takes the wish back, or either side calls off what was accepted, which ends the hold."""
    listing, reservation, target = await _begin(session, own, "cancel", expected)
    await _finish(session, reservation, target, own.caller_id)
    await listings.release(session, listing, reference_id=reservation.id)
    return reservation


async def complete(session: AsyncSession, own: OwnReservation, expected: int | None) -> Reservation:
    """The buyer has it: the listing is SOLD, which closes the other requests."""
    listing, reservation, target = await _begin(session, own, "complete", expected)
    await _finish(session, reservation, target, own.caller_id)
    await listings.sell(session, listing, reference_id=reservation.id)
    return reservation


async def expire(session: AsyncSession, reservation_id: UUID) -> bool:
    """End it if its time is over by the database's clock; returns whether it was."""
    found = await queries.parties(session, reservation_id)
    if found is None:
        return False
    listing = await listings.lock(session, found[0])
    await listings.held_for(session, listing)
    reservation, is_over = await queries.lock(session, reservation_id)
    if not is_over or reservation.status not in (Status.REQUESTED, Status.ACCEPTED):
        return False
    await _lapse(session, listing, reservation)
    return True


async def tell_ended(session: AsyncSession, ended: Sequence[queries.Ended]) -> None:
    """Tell of reservations that a move of the listing, or a block, has ended."""
    for row in ended:
        event = ReservationChanged(
            reservation_id=row.id,
            listing_id=row.listing_id,
            chat_id=row.chat_id,
            buyer_id=row.buyer_id,
            seller_id=row.seller_id,
            change=change_of(row.status),
            actor_id=None,
            reason=cast(Reason, row.ended_because),
        )
        _announce(session, event)


async def post_line(session: AsyncSession, event: ReservationChanged) -> None:
    """Put the system line of a change into its chat."""
    await chats.post_system(session, event.chat_id, f"reservation.{event.change}")


async def part(session: AsyncSession, blocker_id: UUID, blocked_id: UUID) -> None:
    """Answer the open requests between them as the blocker would: their own they take back, the other's they reject.

    The other side cannot tell it from that. What was accepted stays, for either to cancel or complete.
    """
    for listing_id, reservation_id in await queries.requested_between(session, blocker_id, blocked_id):
        await listings.lock(session, listing_id)
        reservation, is_over = await queries.lock(session, reservation_id)
        if reservation.status == Status.REQUESTED and not is_over:
            own = reservation.buyer_id == blocker_id
            move, side = ("cancel", Side.BUYER) if own else ("reject", Side.SELLER)
            await _finish(session, reservation, check_move(reservation.status, move, side), blocker_id)


async def close_of_user(session: AsyncSession, user_id: UUID, what: queries.Fate) -> None:
    """A blocked or deleted person's reservations end on both sides, and with them the holds they had."""
    locked: dict[UUID, Listing] = {}
    for listing_id in await queries.open_listings_of(session, user_id):
        locked[listing_id] = await listings.lock(session, listing_id)
        await listings.held_for(session, locked[listing_id])
    held = await queries.accepted_of(session, user_id)
    await tell_ended(session, await queries.end_of_user(session, user_id, what))
    for listing_id, reservation_id in held:
        await listings.release(session, locked[listing_id], reference_id=reservation_id)


async def parties(session: AsyncSession, reservation_id: UUID) -> tuple[UUID, UUID, UUID] | None:
    """(listing, buyer, seller) of a reservation, which never change."""
    return await queries.parties(session, reservation_id)


async def lock_for_order(session: AsyncSession, reservation_id: UUID) -> tuple[Reservation, Status]:
    """A reservation, locked after its listing and hold, and what it is by the database's clock."""
    reservation, is_over = await queries.lock(session, reservation_id)
    return reservation, Status.EXPIRED if is_over else Status(reservation.status)


async def hand_over(session: AsyncSession, reservation: Reservation, order_id: UUID) -> None:
    """An order takes the hold of a locked ACCEPTED reservation, and its own time counts from now on."""
    await _set_order(session, reservation, order_id)


async def take_back(session: AsyncSession, reservation: Reservation) -> bool:
    """The order is over without a sale: its own time counts again for a locked ACCEPTED reservation, which may have
    its hold back; False when that time is over, and the hold is to be released."""
    await _set_order(session, reservation, None)
    _, is_over = await queries.lock(session, reservation.id)
    return not is_over


async def close_sold(session: AsyncSession, reservation_id: UUID) -> None:
    """The item was sold, but not by the order that was made of this ACCEPTED reservation."""
    await tell_ended(session, await queries.end_one(session, reservation_id, "sold"))


async def get(session: AsyncSession, own: OwnReservation) -> Reservation:
    found = await queries.get(session, own.reservation_id)
    if found is None:
        raise NotFound
    return found


async def page(
    session: AsyncSession, cursors: CursorSigner, user_id: UUID, wanted: ReservationQuery
) -> Page[ReservationRead]:
    """A person's reservations, newest first; raises `InvalidCursor`."""
    scope = f"reservations:{user_id}:{wanted.role}:{','.join(sorted(set(wanted.status)))}"
    before: Any = cursors.decode(scope, wanted.cursor, (UUID,))[0] if wanted.cursor else None
    rows = await queries.page(
        session, user_id, role=wanted.role, statuses=wanted.status, before=before, limit=wanted.limit + 1
    )
    items = rows[: wanted.limit]
    following = cursors.encode(scope, items[-1].id) if len(rows) > wanted.limit else None
    return Page(await render(session, items), following)


async def render(session: AsyncSession, reservations: Sequence[Reservation]) -> list[ReservationRead]:
    """Reservations as their two people see them; any number costs the same few statements."""
    if not reservations:
        return []
    stubs = await listings.stubs(session, [item.listing_id for item in reservations])
    ids = {user_id for item in reservations for user_id in (item.buyer_id, item.seller_id)}
    people = {
        user.id: Party(user.id, user.shown_name, user.shown_avatar_url)
        for user in (await users.get_many(session, sorted(ids))).values()
    }
    return [
        ReservationRead(
            id=item.id,
            listing_id=item.listing_id,
            buyer_id=item.buyer_id,
            seller_id=item.seller_id,
            chat_id=item.chat_id,
            status=item.status,
            message=item.message,
            ended_because=item.ended_because,
            expires_at=item.expires_at,
            created_at=item.created_at,
            accepted_at=item.accepted_at,
            order_id=item.order_id,
            version=item.version,
            listing=stubs[item.listing_id],
            buyer=people[item.buyer_id],
            seller=people[item.seller_id],
        )
        for item in reservations
    ]


async def _begin(
    session: AsyncSession, own: OwnReservation, move: Move, expected: int | None
) -> tuple[Listing, Reservation, Status]:
    """Lock the listing, its hold, then the reservation, and see what the move leads to."""
    check_side(move, own.side)
    listing = await listings.lock(session, own.listing_id)
    await listings.held_for(session, listing)
    reservation, is_over = await queries.lock(session, own.reservation_id)
    if expected is not None and expected != reservation.version:
        raise StaleVersion
    if reservation.order_id is not None and reservation.status == Status.ACCEPTED:
        raise HasOrder(move, reservation.status, reservation.order_id)
    target = check_move(reservation.status, move, own.side)
    if is_over:
        # Its time is over, though the clock's job has not come by yet.
        raise IllegalTransition(move, Status.EXPIRED, [])
    return listing, reservation, target


async def _finish(
    session: AsyncSession,
    reservation: Reservation,
    target: Status,
    actor_id: UUID | None,
    because: Reason | None = None,
) -> Reservation:
    reservation.status = target
    reservation.ended_because = because
    reservation.version += 1
    reservation.updated_at = cast(Any, func.now())
    await session.flush()
    await session.refresh(reservation)
    await _tell(session, reservation, actor_id, because)
    return reservation


async def _set_order(session: AsyncSession, reservation: Reservation, order_id: UUID | None) -> None:
    reservation.order_id = order_id
    reservation.version += 1
    reservation.updated_at = cast(Any, func.now())
    await session.flush()
    await session.refresh(reservation)
    for user_id in (reservation.buyer_id, reservation.seller_id):
        poke_after_commit(session, TOPIC, str(user_id))


async def _lapse(session: AsyncSession, listing: Listing, reservation: Reservation) -> None:
    await _finish(session, reservation, Status.EXPIRED, None, "lapsed")
    await listings.release(session, listing, reference_id=reservation.id)


async def _end_lapsed_of(session: AsyncSession, listing: Listing, buyer_id: UUID) -> None:
    """The buyer's own open reservation refuses another one, unless its time is over."""
    found = await queries.open_of(session, listing.id, buyer_id)
    if found is None:
        return
    reservation, is_over = found
    if not is_over:
        raise ReservationExists(reservation.id)
    await _lapse(session, listing, reservation)


async def check_people(session: AsyncSession, buyer_id: UUID, seller_id: UUID) -> None:
    """Both still stand, now that the new row's foreign keys have waited for a block of either that was under way.

    Raises `InvalidToken`, `NotFound`, `NotVerified`.
    """
    standing = await queries.verified_standing(session, [buyer_id, seller_id])
    if buyer_id not in standing:
        raise InvalidToken
    if seller_id not in standing:
        raise NotFound
    if not standing[buyer_id] and adapters_of(session).get(Settings).require_verified_email:
        raise NotVerified


async def _tell(
    session: AsyncSession, reservation: Reservation, actor_id: UUID | None, because: Reason | None = None
) -> None:
    event = ReservationChanged(
        reservation_id=reservation.id,
        listing_id=reservation.listing_id,
        chat_id=reservation.chat_id,
        buyer_id=reservation.buyer_id,
        seller_id=reservation.seller_id,
        change=change_of(reservation.status),
        actor_id=actor_id,
        reason=because,
    )
    _announce(session, event)
    if actor_id is not None:
        await post_line(session, event)


def _announce(session: AsyncSession, event: ReservationChanged) -> None:
    publish(session, event)
    for user_id in (event.buyer_id, event.seller_id):
        poke_after_commit(session, TOPIC, str(user_id))
