"""Collections that go by cursor like all others, or by page number down to 10,000 items, counted when asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from pydantic import Field

from memi.platform.cursors import CursorSigner, CursorValue
from memi.platform.errors import AppError, FieldError, ValidationFailed
from memi.platform.validation import RequestModel

T = TypeVar("T")
MOST = 10_000
"""Items that page numbers reach, and that a total is counted to: both cost what they pass over."""


class PageTooDeep(AppError):
    code, status, title = "page_too_deep", 422, "Pages reach the first 10,000 items; go on by `cursor`."

    def __init__(self) -> None:
        super().__init__(None, errors=[FieldError("/page", self.code, self.title)])


PageNumber = Annotated[int, Field(ge=1, description="From 1; instead of `cursor`.")]
Total = Annotated[bool, Field(description="Count what there is, to at most 10,000.")]


class PageQuery(RequestModel):
    limit: Annotated[int, Field(ge=1, le=100, description="How many items at most.")] = 24
    cursor: Annotated[str, Field(min_length=1, max_length=500, description="From the page before.")] | None = None
    page: PageNumber | None = None
    total: Total = False


class Listed(msgspec.Struct, Generic[T], omit_defaults=True):
    """A page of a collection. `page`, `limit` and `has_more` come with a page number, `total` when it was asked for."""

    items: list[T]
    next_cursor: str | None
    page: int | None = None
    limit: int | None = None
    has_more: bool | None = None
    total: int | None = None
    total_is_exact: bool | None = None


@dataclass(frozen=True)
class Place:
    """Which part of a collection is asked for: what follows the item whose sort values are `after`, or `page`."""

    scope: str
    limit: int
    after: tuple[Any, ...] | None
    page: int | None
    total: bool

    @property
    def offset(self) -> int:
        return 0 if self.page is None else (self.page - 1) * self.limit


@dataclass(frozen=True)
class Found(Generic[T]):
    """At most `limit` rows of a place, whether others follow, and how many there are up to one more than `MOST`."""

    rows: Sequence[T]
    more: bool
    counted: int | None


def place_of(cursors: CursorSigner, scope: str, asked: PageQuery, types: tuple[type, ...]) -> Place:
    """Raises `InvalidCursor`, `PageTooDeep`, and `ValidationFailed` for a cursor and a page at once."""
    if asked.page is not None:
        if asked.cursor is not None:
            raise ValidationFailed.of("/page", "not_both", "Give a page or a cursor.")
        if asked.page * asked.limit > MOST:
            raise PageTooDeep
    after = None if asked.cursor is None else cursors.decode(scope, asked.cursor, types)
    return Place(scope, asked.limit, after, asked.page, asked.total)


def listed(
    cursors: CursorSigner,
    place: Place,
    found: Found[Any],
    items: list[T],
    key: Callable[[T], tuple[CursorValue, ...]],
) -> Listed[T]:
    """The reply: `items` are the rows of `found` as they are shown, `key` gives the values they are sorted by."""
    by_page = place.page is not None
    return Listed(
        items=items,
        next_cursor=cursors.encode(place.scope, *key(items[-1])) if found.more else None,
        page=place.page,
        limit=place.limit if by_page else None,
        has_more=found.more if by_page else None,
        total=None if found.counted is None else min(found.counted, MOST),
        total_is_exact=None if found.counted is None else found.counted <= MOST,
    )
