"""Shapes of orders."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from pydantic import AfterValidator, ConfigDict, Field

from memi.listings.schemas import Cover, Money
from memi.platform.validation import RequestModel
from memi.reservations.schemas import Party

StatusName = Literal["PENDING", "AWAITING_PAYMENT", "PAID", "COMPLETED", "CANCELLED", "PAYMENT_FAILED", "REFUNDED"]
Role = Literal["buyer", "seller"]
Delivery = Literal["MEETUP", "SHIPPING"]
_ID = "0192f3a4-5b6c-7d8e-9f00-1a2b3c4d5e6f"


def _storable(value: str) -> str:
    if "\0" in value:
        raise ValueError("bad_format: Must not contain the NUL character.")
    return value


class OrderRequest(RequestModel):
    """Either `listing_id` or `reservation_id`; `address_id`, of one's own address book, exactly when it is shipped."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"listing_id": _ID, "delivery": "MEETUP"},
                {"reservation_id": _ID, "delivery": "SHIPPING", "address_id": _ID},
            ]
        }
    )

    listing_id: UUID | None = None
    reservation_id: UUID | None = None
    address_id: UUID | None = None
    delivery: Delivery


class CancelRequest(RequestModel):
    """`reason` is shown to the other side."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "I found another one."}, {}]})

    reason: Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_storable)] | None = None


class OrderQuery(RequestModel):
    """Without `role`, what one buys and what one sells; `status` may be given several times."""

    role: Role | None = None
    status: Annotated[list[StatusName], Field(max_length=7)] = Field(default_factory=list[StatusName])
    limit: Annotated[int, Field(ge=1, le=100)] = 24
    cursor: Annotated[str, Field(max_length=500)] | None = None


class ShippingAddress(msgspec.Struct, frozen=True):
    """Where to, as the buyer's address book had it when they ordered."""

    recipient: str
    phone: str | None
    line1: str
    line2: str | None
    city: str
    postal_code: str | None


class OrderRead(msgspec.Struct, frozen=True):
    """An order as one of its two people sees it. Title, price, cover and names are as they were when it was made.

    `address` is shown to the buyer, and to the seller while they may have to ship. `payment_url` is the buyer's, from
    when the payments service has answered until the order is paid. `expires_at` is when it lapses unless it is paid, or
    hand to hand completed; null once that is over.
    """

    id: UUID
    listing_id: UUID
    reservation_id: UUID | None
    chat_id: UUID
    buyer_id: UUID
    seller_id: UUID
    status: str
    delivery: str
    title: str
    price: Money
    cover: Cover | None
    buyer: Party
    seller: Party
    address: ShippingAddress | None
    payment_url: str | None
    ended_because: str | None
    cancel_reason: str | None
    expires_at: datetime | None
    created_at: datetime
    paid_at: datetime | None
    completed_at: datetime | None
    version: int
