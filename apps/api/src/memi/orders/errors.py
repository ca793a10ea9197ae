"""Refusals of the orders feature."""

from collections.abc import Sequence
from uuid import UUID

from memi.platform.errors import AppError


class IllegalTransition(AppError):
    """Carries `current_status` and the `allowed_moves` of the one who asked."""

    code, status, title = "illegal_transition", 409, "The order's present status does not allow this move."

    def __init__(self, move: str, current_status: str, allowed_moves: Sequence[str]) -> None:
        super().__init__(
            f"An order that is {current_status} cannot do the move `{move}`.",
            current_status=current_status,
            allowed_moves=list(allowed_moves),
        )


class NotYourMove(AppError):
    code, status, title = "not_your_move", 403, "This move belongs to the other side of the order."


class SellerCannotOrder(AppError):
    code, status, title = "seller_cannot_order", 403, "You cannot order your own item."


class ListingUnavailable(AppError):
    """Carries the listing's `current_status`."""

    code, status, title = "listing_unavailable", 409, "The item cannot be ordered now."

    def __init__(self, current_status: str) -> None:
        super().__init__(f"The listing is {current_status}.", current_status=current_status)


class ReservationNotAccepted(AppError):
    """Carries the reservation's `current_status`."""

    code, status, title = "reservation_not_accepted", 409, "Only an accepted reservation becomes an order."

    def __init__(self, current_status: str) -> None:
        super().__init__(f"The reservation is {current_status}.", current_status=current_status)


class OrderExists(AppError):
    """Names the `order_id` of the caller's own that is open."""

    code, status, title = "order_exists", 409, "You have an open order of this item."

    def __init__(self, order_id: UUID) -> None:
        super().__init__(None, order_id=order_id)
