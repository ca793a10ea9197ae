"""Refusals of the catalogue."""

from memi.platform.errors import AppError


class SlugTaken(AppError):
    code, status, title = "slug_taken", 409, "There is a category with this slug."


class CategoryHasChildren(AppError):
    code, status, title = "category_has_children", 409, "Move or delete the categories within this one first."


class CategoryInUse(AppError):
    code, status, title = "category_in_use", 409, "Listings are in this category; say `move_to` where they shall go."


class CategoryIsTarget(AppError):
    code, status, title = "category_is_target", 409, "The listings of another category are being moved to this one."


class CategoryIsMoving(AppError):
    code, status, title = (
        "category_moving",
        409,
        "The listings of this category are being moved; it goes with the last.",
    )


class TooManyCategories(AppError):
    code, status, title = "too_many_categories", 409, "The catalogue has as many categories as it may have."
