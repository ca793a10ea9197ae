"""What the payments service is asked, and what is made of its answers. Each may run again: keys and states allow it."""

from datetime import timedelta
from uuid import UUID

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from memi.orders import payment_queries, queries, service
from memi.orders.lifecycle import Status
from memi.orders.models import Order
from memi.orders.outgoing import Outgoing
from memi.orders.paying import Outcome
from memi.orders.payments import Call, Payment
from memi.platform.jobs import Postponed, enqueue, job, recurring
from memi.platform.runtime import Runtime

log = structlog.get_logger(__name__)
LOOK_AFTER = timedelta(minutes=10)
"""An event that never came is found out after this, and this often."""
_KEPT_DAYS = 180


class OfOrder(msgspec.Struct):
    order_id: UUID


@job(OfOrder)
async def begin_payment(payload: OfOrder, runtime: Runtime) -> None:
    """Have the service make the order's payment. An order that is over is asked about only to be taken back."""
    async with runtime.unit_of_work() as session:
        order = await _order(session, payload)
        waits = order.status == Status.AWAITING_PAYMENT and order.payment_url is None
        lost = order.status == Status.CANCELLED and order.payment_id is None
        if not (waits or (lost and await payment_queries.may_have_begun(session, order.id))):
            return
        call = Call(
            "begin",
            order.id,
            body={
                "order_id": order.id,
                "amount": order.price_amount,
                "currency": order.currency,
                "description": order.title,
                "return_url": f"{runtime.settings.site_url}/orders/{order.id}",
            },
        )
    payment = await runtime.adapters.get(Outgoing).ask(call)
    async with runtime.unit_of_work() as session:
        if await apply(session, payment, begun=True) == "applied":
            await enqueue(session, look_at_payment, payload, delay=LOOK_AFTER, key=str(payload.order_id))


@job(OfOrder)
async def look_at_payment(payload: OfOrder, runtime: Runtime) -> None:
    """Ask how the payment stands, in case its events are lost, for as long as the order waits for it."""
    async with runtime.unit_of_work() as session:
        order = await _order(session, payload)
    if order.status != Status.AWAITING_PAYMENT or order.payment_id is None:
        return
    payment = await runtime.adapters.get(Outgoing).ask(Call("look", order.id, order.payment_id))
    if payment.status == "PENDING":
        raise Postponed(LOOK_AFTER, "not paid yet")
    async with runtime.unit_of_work() as session:
        await apply(session, payment)


@job(OfOrder)
async def cancel_payment(payload: OfOrder, runtime: Runtime) -> None:
    """Take back the payment of an order that is over. One that was paid meanwhile is answered as such, and refunded."""
    async with runtime.unit_of_work() as session:
        order = await _order(session, payload)
        refund = await queries.refund_of(session, order.id)
    # Without a payment there is nothing to take back yet: once one is heard of, this is asked for again.
    if order.status != Status.CANCELLED or order.payment_id is None or refund is not None:
        return
    call = Call("cancel", order.id, order.payment_id, {"reason": order.ended_because or "cancelled"})
    payment = await runtime.adapters.get(Outgoing).ask(call)
    async with runtime.unit_of_work() as session:
        await apply(session, payment)


@job(OfOrder)
async def request_refund(payload: OfOrder, runtime: Runtime) -> None:
    """Have the service give back what came for an order that was over. That it has, its event tells."""
    async with runtime.unit_of_work() as session:
        refund = await queries.refund_of(session, payload.order_id)
    if refund is None or refund.status != "REQUESTED":
        return
    body = {"amount": refund.amount, "currency": refund.currency, "reason": refund.reason}
    payment = await runtime.adapters.get(Outgoing).ask(Call("refund", refund.order_id, refund.payment_id, body))
    async with runtime.unit_of_work() as session:
        await service.refund_sent(session, payload.order_id)
        if payment.status == "REFUNDED":
            await apply(session, payment)


@recurring(timedelta(hours=6))
async def prune_payment_records(runtime: Runtime) -> None:
    """Forget attempts and deliveries long after anybody could ask about them or send them again."""
    async with runtime.unit_of_work() as session:
        await payment_queries.prune(session, _KEPT_DAYS)


async def apply(session: AsyncSession, payment: Payment, *, begun: bool = False) -> Outcome:
    """Make of a payment's status what its event would; `begun` when the order is to have the payment's address too."""
    outcome: Outcome = "unchanged"
    if begun and payment.payment_url is not None:
        outcome = await service.payment_begun(session, payment.order_id, payment.id, payment.payment_url)
    at = payment.updated_at
    if payment.status in ("FAILED", "CANCELLED"):
        return await service.payment_failed(session, payment.order_id, payment_id=payment.id, at=at)
    if payment.status == "PENDING":
        return outcome
    heard = service.payment_succeeded if payment.status == "SUCCEEDED" else service.payment_refunded
    return await heard(
        session, payment.order_id, payment_id=payment.id, amount=payment.amount, currency=payment.currency, at=at
    )


async def _order(session: AsyncSession, payload: OfOrder) -> Order:
    order = await queries.get(session, payload.order_id)
    assert order is not None, "orders are never removed"
    return order
