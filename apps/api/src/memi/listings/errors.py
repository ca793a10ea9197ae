"""Refusals of the listings feature."""

from collections.abc import Sequence

from memi.platform.errors import AppError


class IllegalTransition(AppError):
    """Carries `current_status` and the `allowed_moves` of the one who asked."""

    code, status, title = "illegal_transition", 409, "The listing's present status does not allow this move."

    def __init__(self, move: str, current_status: str, allowed_moves: Sequence[str]) -> None:
        super().__init__(
            f"A listing that is {current_status} cannot do the move `{move}`.",
            current_status=current_status,
            allowed_moves=list(allowed_moves),
        )


class NotOwner(AppError):
    code, status, title = "not_owner", 403, "This listing belongs to somebody else."


class PriceFrozen(AppError):
    code, status, title = "price_frozen", 409, "The price cannot change while the item is reserved."


class ReadOnly(AppError):
    code, status, title = "read_only", 409, "A listing that is sold, deleted or removed cannot be edited."


class ListingPurged(AppError):
    code, status, title = "listing_purged", 409, "The days in which this listing could be had back are over."


class FlagExists(AppError):
    code, status, title = "flag_exists", 409, "The listing has an open flag of this kind already."


class FlagIsResolved(AppError):
    code, status, title = "flag_resolved", 409, "This flag is resolved already."


class ImagesNotReady(AppError):
    code, status, title = "images_not_ready", 409, "The images are still being processed; try again shortly."


class NoPriceAdvice(AppError):
    code, status, title = "no_price_advice", 404, "Nobody can say just now what this would sell for."
