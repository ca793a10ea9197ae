"""Refusals of the reservations feature."""

from collections.abc import Sequence
from uuid import UUID

from memi.platform.errors import AppError


class IllegalTransition(AppError):
    """Carries `current_status` and the `allowed_moves` of the one who asked."""

    code, status, title = "illegal_transition", 409, "The reservation's present status does not allow this move."

    def __init__(self, move: str, current_status: str, allowed_moves: Sequence[str], detail: str | None = None) -> None:
        super().__init__(
            detail or f"A reservation that is {current_status} cannot do the move `{move}`.",
            current_status=current_status,
            allowed_moves=list(allowed_moves),
        )


class HasOrder(IllegalTransition):
    """Names the `order_id` of the open order that has the reservation's hold: act on that."""

    def __init__(self, move: str, current_status: str, order_id: UUID) -> None:
        detail = "An order was made of this reservation; cancel or complete that."
        super().__init__(move, current_status, [], detail)
        self.fields["order_id"] = order_id


class NotYourMove(AppError):
    code, status, title = "not_your_move", 403, "This move belongs to the other side of the reservation."


class SellerCannotReserve(AppError):
    code, status, title = "seller_cannot_reserve", 403, "You cannot reserve your own item."


class ListingUnavailable(AppError):
    """Carries the listing's `current_status`."""

    code, status, title = "listing_unavailable", 409, "The item cannot be kept for anyone now."

    def __init__(self, current_status: str) -> None:
        super().__init__(f"The listing is {current_status}.", current_status=current_status)


class ReservationExists(AppError):
    """Names the `reservation_id` that is open."""

    code, status, title = "reservation_exists", 409, "You have an open reservation of this item."

    def __init__(self, reservation_id: UUID) -> None:
        super().__init__(None, reservation_id=reservation_id)
