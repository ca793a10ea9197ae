"""Shapes of what plug-ins say about a listing, for its seller."""

import msgspec

from memi.listings.schemas import CategoryRead, Money


class PriceAdviceRead(msgspec.Struct, frozen=True):
    """From `low` to `high` it would sell; `based_on` is how many other listings that was learned from."""

    low: Money
    typical: Money
    high: Money
    based_on: int


class CategorySuggestion(msgspec.Struct, frozen=True):
    """`confidence` from 0 to 1."""

    category: CategoryRead
    confidence: float


class CategorySuggestions(msgspec.Struct, frozen=True):
    """The likeliest first, and words for what the pictures show; both empty while nothing is known."""

    items: list[CategorySuggestion]
    tags: list[str]
