"""What happens to listings, for the features above."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

Move = Literal[
    "publish",
    "unpublish",
    "reserve",
    "unreserve",
    "sold",
    "expire",
    "relist",
    "delete",
    "undelete",
    "remove",
    "restore",
]


@dataclass(frozen=True)
class ListingChanged:
    """Anything a card or page of it shows may be different: created, edited, pictures ready, moved, seller renamed."""

    listing_id: UUID
    seller_id: UUID


@dataclass(frozen=True)
class ListingMoved:
    """It went from one status to another. `holder_id` is whom a hold that began or ended with this move was for."""

    listing_id: UUID
    seller_id: UUID
    move: Move
    before: str
    after: str
    holder_id: UUID | None = None
    reference_id: UUID | None = None


@dataclass(frozen=True)
class PriceDropped:
    listing_id: UUID
    seller_id: UUID
    before: int
    after: int


@dataclass(frozen=True)
class ListingExpiring:
    """It expires within three days; told once per period of being shown."""

    listing_id: UUID
    seller_id: UUID
