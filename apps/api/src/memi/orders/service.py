"""Rules of orders. Locks are taken in one order: listing, hold, reservation, order, chat."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.chat import service as chats
from memi.chat.errors import ChatBlocked
from memi.listings import service as listings
from memi.listings.lifecycle import Status as ListingStatus
from memi.listings.models import Listing
from memi.media import service as media
from memi.orders import moves, queries
from memi.orders.errors import (
    IllegalTransition,
    ListingUnavailable,
    OrderExists,
    ReservationNotAccepted,
    SellerCannotOrder,
)
from memi.orders.events import PaymentWanted, Reason
from memi.orders.guards import OwnOrder
from memi.orders.lifecycle import UNPAID, Move, Side, Status, check_move, check_side
from memi.orders.models import Order
from memi.orders.moves import LockedOrder
from memi.orders.paying import payment_begun as payment_begun
from memi.orders.paying import payment_failed as payment_failed
from memi.orders.paying import payment_refunded as payment_refunded
from memi.orders.paying import payment_succeeded as payment_succeeded
from memi.orders.paying import refund_sent as refund_sent
from memi.orders.payments import Payments
from memi.orders.rendering import render
from memi.orders.schemas import OrderQuery, OrderRead, OrderRequest
from memi.platform.clock_queries import in_hours
from memi.platform.cursors import CursorSigner, Page
from memi.platform.errors import FieldError, NotFound, StaleVersion, ValidationFailed
from memi.platform.events import publish
from memi.platform.ids import new_id
from memi.platform.settings import Settings
from memi.platform.unit_of_work import adapters_of
from memi.reservations import service as reservations
from memi.reservations.lifecycle import Status as ReservationStatus
from memi.reservations.models import Reservation
from memi.users import addresses
from memi.users import service as users
from memi.users.models import User

MEETUP = "MEETUP"


async def create(session: AsyncSession, buyer_id: UUID, data: OrderRequest) -> Order:
    """Buy an item: an ACTIVE one, which is held for the order, or what an ACCEPTED reservation of the buyer's holds.

    Raises `ValidationFailed`, `NotFound`, `SellerCannotOrder`, `ChatBlocked`, `ListingUnavailable`, `OrderExists`,
    `ReservationNotAccepted`, `NotVerified`.
    """
    address = await _delivery(session, buyer_id, data)
    listing_id, seller_id = await _item(session, buyer_id, data)
    if await users.blocked_between(session, buyer_id, seller_id):
        raise ChatBlocked
    listing = await listings.lock(session, listing_id)
    await listings.held_for(session, listing)
    await _refuse_second(session, listing, buyer_id)
    reservation = None
    if data.reservation_id is not None:
        reservation, status = await reservations.lock_for_order(session, data.reservation_id)
        if status != ReservationStatus.ACCEPTED:
            raise ReservationNotAccepted(status)
    elif listing.status != ListingStatus.ACTIVE:
        raise ListingUnavailable(listing.status)
    order = await _freeze(session, listing, buyer_id, data, address)
    await _take_hold(session, listing, reservation, order)
    order.chat_id = (await chats.open_chat(session, listing, buyer_id)).id
    session.add(order)
    await session.flush()
    if reservation is not None:
        await reservations.hand_over(session, reservation, order.id)
    await reservations.check_people(session, buyer_id, seller_id)
    if adapters_of(session).get(Payments).configured:  # pyright: ignore[reportAbstractUsage]
        order.status = check_move(order.status, "hand_off", Side.PAYMENTS)
        publish(session, PaymentWanted(order.id))
    await moves.touch(session, order, made=True)
    await moves.tell(session, order, buyer_id)
    return order


async def cancel(session: AsyncSession, own: OwnOrder, expected: int | None, reason: str | None) -> Order:
    """Either side calls it off before it is paid: the item is free again, or held for the reservation as before."""
    locked, target = await _begin(session, own, "cancel", expected)
    locked.order.cancel_reason, locked.order.cancelled_by = reason, own.side.value
    await moves.finish(session, locked.order, target, own.caller_id)
    await moves.free(session, locked)
    return locked.order


async def complete(session: AsyncSession, own: OwnOrder, expected: int | None) -> Order:
    """The buyer has it. Hand to hand this is what makes the listing SOLD; a paid one is that already."""
    locked, target = await _begin(session, own, "complete", expected)
    by_hand = locked.order.status == Status.PENDING
    await moves.finish(session, locked.order, target, own.caller_id)
    if by_hand:
        await listings.sell(session, locked.listing, reference_id=locked.order.id)
    return locked.order


async def expire(session: AsyncSession, order_id: UUID) -> bool:
    """End an unpaid order if its time is over by the database's clock; returns whether it was."""
    locked = await moves.lock(session, order_id)
    if locked is None or not locked.is_over:
        return False
    target = check_move(locked.order.status, "lapse", Side.CLOCK)
    await moves.finish(session, locked.order, target, None, "lapsed")
    await moves.free(session, locked)
    return True


async def close_unpaid(session: AsyncSession, order_id: UUID, because: Reason) -> None:
    """A move of the listing, which the caller has locked, ended the hold, and with it the order if one had it."""
    locked = await _unpaid(session, order_id)
    if locked is not None:
        target = check_move(locked.order.status, "close", Side.LISTING)
        await moves.finish(session, locked.order, target, None, because)


async def close_sold(session: AsyncSession, order_id: UUID) -> None:
    """The seller marked the listing as sold: to the holder, hand to hand; or by some other way than the payment."""
    locked = await _unpaid(session, order_id)
    if locked is None:
        return
    target = check_move(locked.order.status, "sell", Side.LISTING)
    await moves.finish(session, locked.order, target, None, "sold")
    if target == Status.CANCELLED and locked.reservation is not None:
        await reservations.close_sold(session, locked.reservation.id)


async def close_of_user(session: AsyncSession, user_id: UUID, what: str) -> None:
    """A blocked or deleted person's unpaid orders end on both sides, and with them the holds they had."""
    for _, order_id in await queries.unpaid_of_user(session, user_id):
        locked = await _unpaid(session, order_id)
        if locked is None:
            continue
        side = "buyer" if locked.order.buyer_id == user_id else "seller"
        because: Any = f"{side}_{what}"
        target = check_move(locked.order.status, "close", Side.LISTING)
        await moves.finish(session, locked.order, target, None, because)
        # Its reservation ends for the same reason, so nothing goes back to it.
        await listings.release(session, locked.listing, reference_id=order_id)


async def get(session: AsyncSession, own: OwnOrder) -> Order:
    found = await queries.get(session, own.order_id)
    if found is None:
        raise NotFound
    return found


async def page(session: AsyncSession, cursors: CursorSigner, user_id: UUID, wanted: OrderQuery) -> Page[OrderRead]:
    """A person's orders, newest first; raises `InvalidCursor`."""
    scope = f"orders:{user_id}:{wanted.role}:{','.join(sorted(set(wanted.status)))}"
    before: Any = cursors.decode(scope, wanted.cursor, (UUID,))[0] if wanted.cursor else None
    rows = await queries.page(
        session, user_id, role=wanted.role, statuses=wanted.status, before=before, limit=wanted.limit + 1
    )
    items = rows[: wanted.limit]
    following = cursors.encode(scope, items[-1].id) if len(rows) > wanted.limit else None
    return Page(await render(session, items, user_id), following)


async def _begin(session: AsyncSession, own: OwnOrder, move: Move, expected: int | None) -> tuple[LockedOrder, Status]:
    """Lock the order and all that its move touches, and see what the move leads to."""
    check_side(move, own.side)
    locked = await moves.lock(session, own.order_id)
    if locked is None:
        raise NotFound
    order = locked.order
    if expected is not None and expected != order.version:
        raise StaleVersion
    target = check_move(order.status, move, own.side, meetup=order.delivery == MEETUP)
    if locked.is_over:
        # Its time is over, though the clock's job has not come by yet.
        raise IllegalTransition(move, Status.CANCELLED, [])
    return locked, target


async def _delivery(session: AsyncSession, buyer_id: UUID, data: OrderRequest) -> dict[str, Any] | None:
    """The address to freeze, if it is shipped; raises `ValidationFailed` with all that does not go together."""
    errors: list[FieldError] = []
    address = None
    if (data.listing_id is None) == (data.reservation_id is None):
        code = "required" if data.listing_id is None else "conflicts"
        for name in ("listing_id", "reservation_id"):
            errors.append(FieldError(f"/{name}", code, "Give exactly one of listing_id and reservation_id."))
    if data.delivery == MEETUP:
        if data.address_id is not None:
            errors.append(FieldError("/address_id", "conflicts", "Only what is shipped has an address."))
    elif data.address_id is None:
        errors.append(FieldError("/address_id", "required", "Say where to, by an address of your address book."))
    else:
        address = await addresses.frozen(session, buyer_id, data.address_id)
        if address is None:
            errors.append(FieldError("/address_id", "unknown_value", "There is no such address in your address book."))
    if errors:
        raise ValidationFailed(errors)
    return address


async def _item(session: AsyncSession, buyer_id: UUID, data: OrderRequest) -> tuple[UUID, UUID]:
    """(listing, seller) of what is bought; `NotFound` unless the buyer may see it."""
    if data.listing_id is not None:
        seen = await listings.visible(session, data.listing_id, buyer_id)
        listing_id, seller_id = seen.id, seen.seller_id
    else:
        assert data.reservation_id is not None
        found = await reservations.parties(session, data.reservation_id)
        if found is None or buyer_id not in found[1:]:
            raise NotFound
        listing_id, seller_id = found[0], found[2]
    if seller_id == buyer_id:
        raise SellerCannotOrder
    return listing_id, seller_id


async def _refuse_second(session: AsyncSession, listing: Listing, buyer_id: UUID) -> None:
    """The buyer's own open order refuses another one; anybody's whose time is over is ended first."""
    found = await queries.unpaid_of(session, listing.id)
    if found is not None and not await expire(session, found[0]) and found[1] == buyer_id:
        raise OrderExists(found[0])


async def _freeze(
    session: AsyncSession, listing: Listing, buyer_id: UUID, data: OrderRequest, address: dict[str, Any] | None
) -> Order:
    """What is agreed on, as it is now; its cover stays, whatever becomes of the listing's pictures."""
    settings = adapters_of(session).get(Settings)
    paid = adapters_of(session).get(Payments).configured  # pyright: ignore[reportAbstractUsage]
    people: dict[UUID, User] = await users.get_many(session, [buyer_id, listing.seller_id])
    order_id = new_id()
    cover = await listings.cover_of(session, listing.id)
    if cover is not None:
        await media.attach_one(session, listing.seller_id, cover, claimant(order_id), pointer="/listing_id")
    return Order(
        id=order_id,
        listing_id=listing.id,
        reservation_id=data.reservation_id,
        buyer_id=buyer_id,
        seller_id=listing.seller_id,
        status=Status.PENDING.value,
        delivery=data.delivery,
        address=address,
        title=listing.title,
        price_amount=listing.price_amount,
        currency=listing.currency,
        cover_upload_id=cover,
        buyer_name=people[buyer_id].name,
        seller_name=people[listing.seller_id].name,
        version=1,
        expires_at=await in_hours(session, settings.order_payment_hours if paid else settings.order_pending_hours),
    )


def claimant(order_id: UUID) -> str:
    """The name under which an order claims its cover."""
    return f"order:{order_id}"


async def _take_hold(session: AsyncSession, listing: Listing, reservation: Reservation | None, order: Order) -> None:
    """The listing's one hold is the order's from now on."""
    assert order.expires_at is not None
    if reservation is None:
        await listings.hold(
            session,
            listing,
            kind="ORDER",
            holder_id=order.buyer_id,
            reference_id=order.id,
            expires_at=order.expires_at,
        )
    elif not await listings.hand_over(
        session, listing, reference_id=reservation.id, to=order.id, kind="ORDER", expires_at=order.expires_at
    ):
        raise ListingUnavailable(listing.status)


async def _unpaid(session: AsyncSession, order_id: UUID) -> LockedOrder | None:
    """The order, locked, if it is one and still has to be paid or completed."""
    locked = await moves.lock(session, order_id)
    return locked if locked is not None and locked.order.status in UNPAID else None
