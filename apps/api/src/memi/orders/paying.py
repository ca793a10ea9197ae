"""What the payments service tells of an order. Each may come late, again and in any order; orders only move forward."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from memi.listings import service as listings
from memi.orders import moves, queries
from memi.orders.events import PaymentUnwanted, RefundReason, RefundWanted
from memi.orders.lifecycle import BOUGHT, Side, Status, check_move
from memi.orders.models import Order, RefundRequest
from memi.platform.events import publish

log = structlog.get_logger(__name__)

Outcome = Literal["applied", "unchanged", "refund_requested", "mismatch", "unknown_order"]
"""`mismatch`: refused, and `orders.payment_flag` says why, for staff to look at."""
Flag = Literal["other_payment", "other_amount", "never_asked_for"]
_LATE: dict[str, RefundReason] = {Status.CANCELLED: "cancelled", Status.PAYMENT_FAILED: "payment_failed"}


async def payment_begun(session: AsyncSession, order_id: UUID, payment_id: str, url: str) -> Outcome:
    """The service has a payment for the order, which the buyer makes at `url`.

    Of an order that is over meanwhile the service is told so once more, now that there is something to take back.
    """
    found = await queries.lock(session, order_id)
    if found is None:
        return "unknown_order"
    order, _ = found
    flag = await _wrong(session, order, payment_id)
    if flag is not None:
        return await _refuse(session, order, flag)
    news = order.payment_id is None
    order.payment_id = payment_id
    if order.status == Status.AWAITING_PAYMENT:
        if order.payment_url == url:
            return "unchanged"
        order.payment_url = url
    elif not news:
        return "unchanged"
    elif order.status == Status.CANCELLED:
        publish(session, PaymentUnwanted(order.id))
    await moves.touch(session, order)
    return "applied"


async def payment_succeeded(
    session: AsyncSession, order_id: UUID, *, payment_id: str, amount: int, currency: str, at: datetime
) -> Outcome:
    """The buyer has paid: the item is SOLD. Of an order that is over the money is to go back."""
    locked = await moves.lock(session, order_id)
    if locked is None:
        return "unknown_order"
    order = locked.order
    flag = await _wrong(session, order, payment_id, amount, currency)
    if flag is not None:
        return await _refuse(session, order, flag)
    order.payment_id = payment_id
    if order.status in _LATE:
        return await _request_refund(session, order, _LATE[order.status])
    if order.status in (*BOUGHT, Status.REFUNDED):
        return "unchanged"
    target = check_move(order.status, "pay", Side.PAYMENTS)
    await moves.finish(session, order, target, None, paid_at=at)
    await listings.sell(session, locked.listing, reference_id=order.id)
    return "applied"


async def payment_failed(session: AsyncSession, order_id: UUID, *, payment_id: str, at: datetime) -> Outcome:
    """The payment will never come. `at` is when that was decided; what came first is what counts, not the clocks."""
    locked = await moves.lock(session, order_id)
    if locked is None:
        return "unknown_order"
    order = locked.order
    flag = await _wrong(session, order, payment_id)
    if flag is not None:
        return await _refuse(session, order, flag)
    order.payment_id = payment_id
    if order.status != Status.AWAITING_PAYMENT:
        return "unchanged"
    target = check_move(order.status, "fail", Side.PAYMENTS)
    await moves.finish(session, order, target, None, "payment_failed")
    await moves.free(session, locked)
    log.info("payment_failed", order_id=str(order.id), at=at.isoformat())
    return "applied"


async def payment_refunded(
    session: AsyncSession, order_id: UUID, *, payment_id: str, amount: int, currency: str, at: datetime
) -> Outcome:
    """The money has gone back. The item is SOLD if the order was ever paid in time, also if that is heard of later."""
    locked = await moves.lock(session, order_id)
    if locked is None:
        return "unknown_order"
    order = locked.order
    flag = await _wrong(session, order, payment_id, amount, currency)
    if flag is not None:
        return await _refuse(session, order, flag)
    order.payment_id = payment_id
    if order.status == Status.REFUNDED:
        return "unchanged"
    was_open = order.status == Status.AWAITING_PAYMENT
    target = check_move(order.status, "refund", Side.PAYMENTS)
    refund = await queries.refund_of(session, order.id, lock=True)
    if refund is not None:
        refund.status = "DONE"
    await moves.finish(session, order, target, None)
    if was_open:
        await listings.sell(session, locked.listing, reference_id=order.id)
    log.info("payment_refunded", order_id=str(order.id), at=at.isoformat())
    return "applied"


async def refund_sent(session: AsyncSession, order_id: UUID) -> bool:
    """The service has taken the refund request; False when there is none, or it was sent before."""
    refund = await queries.refund_of(session, order_id, lock=True)
    if refund is None or refund.status != "REQUESTED":
        return False
    refund.status = "SENT"
    return True


async def _wrong(
    session: AsyncSession, order: Order, payment_id: str, amount: int | None = None, currency: str | None = None
) -> Flag | None:
    if order.status == Status.PENDING or (order.status == Status.COMPLETED and order.paid_at is None):
        return "never_asked_for"
    if order.payment_id not in (None, payment_id):
        return "other_payment"
    if order.payment_id is None and await queries.pays_for_another(session, payment_id, order.id):
        return "other_payment"
    if amount is not None and (amount, currency) != (order.price_amount, order.currency):
        return "other_amount"
    return None


async def _refuse(session: AsyncSession, order: Order, flag: Flag) -> Outcome:
    order.payment_flag = flag
    await session.flush()
    log.warning("payment_does_not_fit", order_id=str(order.id), flag=flag)
    return "mismatch"


async def _request_refund(session: AsyncSession, order: Order, reason: RefundReason) -> Outcome:
    """The order's lock lets no second one in between."""
    if await queries.refund_of(session, order.id) is not None:
        return "unchanged"
    refund = RefundRequest(
        order_id=order.id,
        payment_id=order.payment_id,
        amount=order.price_amount,
        currency=order.currency,
        reason=reason,
    )
    session.add(refund)
    await session.flush()
    publish(session, RefundWanted(refund.id, order.id))
    log.info("refund_requested", order_id=str(order.id), reason=reason)
    return "refund_requested"
