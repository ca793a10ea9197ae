"""Shapes of consent, and of what is recorded."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import date, datetime
from typing import Annotated, Literal, NamedTuple, get_args
from uuid import UUID

import msgspec
from pydantic import ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.validation import RequestModel

Kind = Literal[
    "LISTING_VIEW", "SEARCH", "SEARCH_CLICK", "FAVORITE", "CONTACT", "RESERVE", "ORDER", "SOLD", "PUBLISH"
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)


class ConsentUpdate(RequestModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"consent": True}]})

    consent: Annotated[bool, Field(strict=True)] = Field(
        description="Whether what you view, look for and do may be kept as one person's, under a made-up name."
    )


class ConsentRead(msgspec.Struct, frozen=True):
    """`changed_at` is null for who was never asked, which means no."""

    consent: bool
    changed_at: datetime | None


class ListingFacts(NamedTuple):
    """What an event keeps of the listing that it is about."""

    seller_id: UUID
    category: str | None
    """Slug."""


Describe = Callable[[AsyncSession, Collection[UUID]], Awaitable[Mapping[UUID, ListingFacts]]]
"""Facts of listings by id; those that are gone are absent."""


Origin = tuple[str | None, tuple[tuple[bytes, bytes], ...], bytes]
"""Where a request came from: the peer's address, the headers that proxies add, and the User-Agent."""


class Sighting(NamedTuple):
    """Something that a request showed, before it is known whose it was."""

    kind: Kind
    user_id: UUID | None
    origin: Origin
    listing_id: UUID | None = None
    search_id: UUID | None = None
    position: int | None = None
    category: str | None = None
    words: str | None = None
    properties: str = "{}"
    """JSON."""


class EventRow(NamedTuple):
    """A row of `usage_events`, but for its time, which the database says. `properties` is JSON."""

    id: UUID
    kind: Kind
    listing_id: UUID | None
    search_id: UUID | None
    position: int | None
    category: str | None
    words: str | None
    visitor: bytes
    person: bytes | None
    properties: str


class Today(NamedTuple):
    """What writing events now needs: the day's salt, if there is one yet, and the salts of who consents."""

    at: datetime
    day: date
    salt: bytes | None
    consents: dict[UUID, bytes]


class Views(NamedTuple):
    """How often listings were seen anew, and whether more is waiting to be counted."""

    by_listing: dict[UUID, int]
    more: bool
