"""Shapes of browsing: what may be asked, and the cards and pages that answer."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo, field_validator

from memi.listings.schemas import Cover, ListingRead, Money, Seller
from memi.platform.paging import MOST, PageNumber, PageTooDeep, Total
from memi.platform.validation import RequestModel

MAX_CHOICES = 20
Sort = Literal["newest", "price_asc", "price_desc", "relevance"]


def _clean(value: str) -> str:
    if "\0" in value:
        raise ValueError("bad_format: Must not contain the NUL character.")
    return value


Code = Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_clean)]
Choices = Annotated[list[Code], Field(max_length=MAX_CHOICES)]
Price = Annotated[int, Field(ge=0, le=10**15)]
Limit = Annotated[int, Field(ge=1, le=100)]
Cursor = Annotated[str, Field(min_length=1, max_length=1000)]


def _reached(page: int, info: ValidationInfo) -> int:
    """A page's number against the limit and the cursor, which are declared before it."""
    if info.data.get("cursor") is not None:
        raise ValueError("not_both: Give a page or a cursor.")
    if page * info.data.get("limit", 1) > MOST:
        raise ValueError(f"{PageTooDeep.code}: {PageTooDeep.title}")
    return page


Number = Annotated[PageNumber, AfterValidator(_reached)]
_PAGE = (
    "From 1, instead of `cursor`. `page` x `limit` is 10,000 at most, so the last one is 10,000 / `limit`, rounded "
    "down; its `next_cursor` goes on from there."
)


class ListingFilter(RequestModel):
    """Everything is optional and combined; a parameter that may be repeated means any of its values."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"q": "yun palto", "category": "women-clothes", "max_price": 8000}]}
    )

    q: Annotated[str, Field(max_length=200), AfterValidator(_clean)] | None = Field(
        None, description="Words in Azerbaijani, Russian or English; a slip of the keyboard is forgiven."
    )
    category: Code | None = Field(None, description="Slug; everything below it is included.")
    min_price: Price | None = Field(None, description="Minor units, inclusive.")
    max_price: Price | None = Field(None, description="Minor units, inclusive.")
    condition: Choices | None = Field(None, description="Code; repeatable.")
    size: Choices | None = Field(None, description="Code; repeatable.")
    color: Choices | None = Field(None, description="Code; repeatable.")
    brand: Choices | None = Field(None, description="Name or slug; repeatable.")
    material: Choices | None = Field(None, description="Code; repeatable.")
    city: Code | None = Field(None, description="Code.")
    seller: UUID | None = Field(None, description="Id of a person.")
    attr: dict[str, Choices] | None = Field(
        None, description="Attributes of the category: `attr[fit]=SLIM`; repeatable."
    )
    sort: Sort | None = Field(None, description="`relevance` when there is a `q`, else `newest`.")
    limit: Limit = 24
    cursor: Cursor | None = Field(None, description="`next_cursor` of the page before.")
    page: Number | None = Field(None, description=_PAGE)
    total: Total = False


class SellerListingsFilter(RequestModel):
    limit: Limit = 24
    cursor: Cursor | None = Field(None, description="`next_cursor` of the page before.")
    page: Number | None = Field(None, description=_PAGE)
    total: Total = False


class ListingArrival(RequestModel):
    """How somebody came to a listing. It shows the same however they did."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"search_id": "01936d8e-7c00-7000-8000-000000000000", "position": 3}]}
    )

    search_id: UUID | None = Field(None, description="`X-Search-Id` of the search that they found it by.")
    position: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        None, description="Its place among what was found, the first being 1. Only with `search_id`."
    )

    @field_validator("position")
    @classmethod
    def _of_a_search(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and info.data.get("search_id", cls) is None:
            raise ValueError("needs_search: A position needs the `search_id` that it is of.")
        return value


class ListingCardRead(msgspec.Struct, frozen=True):
    """A listing as lists show it. `brand` is as the seller wrote it; `category` a slug."""

    id: UUID
    status: str
    title: str
    price: Money
    condition: str
    size: str | None
    brand: str | None
    color: str | None
    city: str | None
    category: str
    cover: Cover | None
    seller: Seller
    published_at: datetime
    favorite_count: int
    is_favorite: bool


class ListingPageRead(ListingRead, frozen=True):
    """A listing, whole. `is_favorite` is the caller's own; false for everybody else."""

    is_favorite: bool


class ListingCards(msgspec.Struct, frozen=True):
    items: list[ListingCardRead]
    next_cursor: str | None
