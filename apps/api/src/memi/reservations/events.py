"""What happens to reservations, for the features above."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

Change = Literal["requested", "accepted", "rejected", "cancelled", "completed", "expired"]
Reason = Literal[
    "lapsed", "unreserved", "sold", "unpublished", "deleted", "removed", "listing_expired", "buyer_blocked",
    "seller_blocked", "buyer_deleted", "seller_deleted",
]  # fmt: skip


@dataclass(frozen=True)
class ReservationChanged:
    """`actor_id` is who did it; None is the clock, or a move of the listing that closed it, as `reason` says."""

    reservation_id: UUID
    listing_id: UUID
    chat_id: UUID
    buyer_id: UUID
    seller_id: UUID
    change: Change
    actor_id: UUID | None
    reason: Reason | None = None
