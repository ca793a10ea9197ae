"""Every change of an order's status, and what becomes of the hold. Locks: listing, hold, reservation, order, chat."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from memi.chat import service as chats
from memi.listings import service as listings
from memi.listings.models import Listing
from memi.orders import queries
from memi.orders.events import OrderChanged, PaymentUnwanted, Reason
from memi.orders.lifecycle import UNPAID, Status, change_of
from memi.orders.models import Order
from memi.platform.events import publish
from memi.platform.unit_of_work import poke_after_commit
from memi.reservations import service as reservations
from memi.reservations.lifecycle import Status as ReservationStatus
from memi.reservations.models import Reservation

TOPIC = "orders"
"""Poked with the ids of both people after an order of theirs changed."""


@dataclass(frozen=True)
class LockedOrder:
    """An order with all that its moves touch, locked until the end of the unit of work."""

    listing: Listing
    reservation: Reservation | None
    order: Order
    is_over: bool
    """It is unpaid and its time is over by the database's clock, whether or not the clock's job has come by."""


async def lock(session: AsyncSession, order_id: UUID) -> LockedOrder | None:
    """Lock an order, after its listing, hold and reservation; None when there is no such order."""
    found = await queries.parties(session, order_id)
    if found is None:
        return None
    listing = await listings.lock(session, found.listing_id)
    await listings.held_for(session, listing)
    reservation = None
    if found.reservation_id is not None:
        reservation, _ = await reservations.lock_for_order(session, found.reservation_id)
    locked = await queries.lock(session, order_id)
    assert locked is not None, "orders are never removed"
    return LockedOrder(listing, reservation, *locked)


async def finish(
    session: AsyncSession,
    order: Order,
    target: Status,
    actor_id: UUID | None,
    because: Reason | None = None,
    *,
    paid_at: datetime | None = None,
) -> None:
    """Make the move and tell of it; what becomes of the hold is the caller's."""
    now: Any = func.now()
    before = order.status
    order.status = target
    order.ended_because = because
    if target not in UNPAID:
        order.expires_at = None
        order.payment_url = None
    if paid_at is not None:
        order.paid_at = paid_at
    if target == Status.COMPLETED:
        order.completed_at = now
    await touch(session, order)
    if before == Status.AWAITING_PAYMENT and target == Status.CANCELLED:
        publish(session, PaymentUnwanted(order.id))
    await tell(session, order, actor_id, because)


async def touch(session: AsyncSession, order: Order, *, made: bool = False) -> None:
    """Write a change of what its two people see; what has just been `made` keeps its version."""
    order.version += not made
    order.updated_at = cast(Any, func.now())
    await session.flush()
    await session.refresh(order)
    for user_id in (order.buyer_id, order.seller_id):
        poke_after_commit(session, TOPIC, str(user_id))


async def free(session: AsyncSession, locked: LockedOrder) -> None:
    """The order is over without a sale: the reservation it was made of has the hold back while its time lasts."""
    reservation = locked.reservation
    if (
        reservation is not None
        and reservation.status == ReservationStatus.ACCEPTED
        and reservation.order_id == locked.order.id
        and await reservations.take_back(session, reservation)
        and await listings.hand_over(
            session,
            locked.listing,
            reference_id=locked.order.id,
            to=reservation.id,
            kind="RESERVATION",
            expires_at=reservation.expires_at,
        )
    ):
        return
    await listings.release(session, locked.listing, reference_id=locked.order.id)


async def tell(session: AsyncSession, order: Order, actor_id: UUID | None, because: Reason | None = None) -> None:
    """Tell of what the order has become; people's own moves post their line in the chat at once."""
    event = OrderChanged(
        order_id=order.id,
        listing_id=order.listing_id,
        chat_id=order.chat_id,
        buyer_id=order.buyer_id,
        seller_id=order.seller_id,
        change=change_of(order.status),
        actor_id=actor_id,
        reason=because,
    )
    publish(session, event)
    if actor_id is not None:
        await post_line(session, event)


async def post_line(session: AsyncSession, event: OrderChanged) -> None:
    """Put the system line of a change into its chat."""
    await chats.post_system(session, event.chat_id, f"order.{event.change}")
