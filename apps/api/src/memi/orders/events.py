"""What happens to orders, for the features above and for the hand-off to payments."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

Change = Literal["created", "paid", "completed", "cancelled", "payment_failed", "refunded"]
Reason = Literal[
    "lapsed", "unreserved", "sold", "deleted", "removed", "payment_failed", "buyer_blocked", "seller_blocked",
    "buyer_deleted", "seller_deleted",
]  # fmt: skip
RefundReason = Literal["cancelled", "payment_failed"]
"""What had become of the order before its payment came."""


@dataclass(frozen=True)
class OrderChanged:
    """`actor_id` is who did it; None is the clock, the payments service, or what closed it, as `reason` says."""

    order_id: UUID
    listing_id: UUID
    chat_id: UUID
    buyer_id: UUID
    seller_id: UUID
    change: Change
    actor_id: UUID | None
    reason: Reason | None = None


@dataclass(frozen=True)
class PaymentWanted:
    """The order waits for its payment: the service is to be asked for one."""

    order_id: UUID


@dataclass(frozen=True)
class PaymentUnwanted:
    """The order is over without one: what the service was asked for is to be taken back."""

    order_id: UUID


@dataclass(frozen=True)
class RefundWanted:
    """Money came for an order that was over: the service is to give it back. Told once per refund request."""

    refund_id: UUID
    order_id: UUID
