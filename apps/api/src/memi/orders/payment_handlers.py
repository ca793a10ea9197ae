"""What orders want of the payments service becomes a job of the same transaction."""

from sqlalchemy.ext.asyncio import AsyncSession

from memi.orders.events import PaymentUnwanted, PaymentWanted, RefundWanted
from memi.orders.payment_jobs import OfOrder, begin_payment, cancel_payment, request_refund
from memi.platform.events import in_transaction
from memi.platform.jobs import enqueue


@in_transaction(PaymentWanted)
async def have_payment_begun(event: PaymentWanted, session: AsyncSession) -> None:
    await enqueue(session, begin_payment, OfOrder(event.order_id))


@in_transaction(PaymentUnwanted)
async def have_payment_cancelled(event: PaymentUnwanted, session: AsyncSession) -> None:
    """Without a key: a run that looked too early must not keep the next one from being queued."""
    await enqueue(session, cancel_payment, OfOrder(event.order_id))


@in_transaction(RefundWanted)
async def have_refund_requested(event: RefundWanted, session: AsyncSession) -> None:
    await enqueue(session, request_refund, OfOrder(event.order_id))
