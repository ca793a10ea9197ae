"""Shapes of reservations."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from pydantic import AfterValidator, ConfigDict, Field

from memi.listings.schemas import ListingStub
from memi.platform.validation import RequestModel

StatusName = Literal["REQUESTED", "ACCEPTED", "REJECTED", "CANCELLED", "COMPLETED", "EXPIRED"]
Role = Literal["buyer", "seller"]


def _storable(value: str) -> str:
    if "\0" in value:
        raise ValueError("bad_format: Must not contain the NUL character.")
    return value


class ReservationRequest(RequestModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"message": "I can pick it up on Saturday."}, {}]})

    message: Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_storable)] | None = None


class ReservationQuery(RequestModel):
    """Without `role`, those one asked for and those one was asked for; `status` may be given several times."""

    role: Role | None = None
    status: Annotated[list[StatusName], Field(max_length=6)] = Field(default_factory=list[StatusName])
    limit: Annotated[int, Field(ge=1, le=100)] = 24
    cursor: Annotated[str, Field(max_length=500)] | None = None


class Party(msgspec.Struct, frozen=True):
    """One of the two people."""

    id: UUID
    name: str
    avatar_url: str | None


class ReservationRead(msgspec.Struct, frozen=True):
    """A reservation as its two people see it. `expires_at` is the request's, and once accepted the hold's end."""

    id: UUID
    listing_id: UUID
    buyer_id: UUID
    seller_id: UUID
    chat_id: UUID
    status: str
    message: str | None
    ended_because: str | None
    expires_at: datetime
    created_at: datetime
    accepted_at: datetime | None
    order_id: UUID | None
    """The order that was made of it; while that is open, the reservation waits for it."""
    version: int
    listing: ListingStub
    buyer: Party
    seller: Party
