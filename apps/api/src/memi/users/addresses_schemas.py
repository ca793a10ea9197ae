"""Shapes of the address book."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from pydantic import ConfigDict, Field

from memi.platform.validation import RequestModel
from memi.users.schemas import CityCode, Phone

Label = Annotated[str, Field(min_length=1, max_length=60)]
Recipient = Annotated[str, Field(min_length=1, max_length=120)]
Line = Annotated[str, Field(min_length=1, max_length=200)]
PostalCode = Annotated[str, Field(min_length=1, max_length=20)]
Default = Annotated[bool, Field(strict=True)]


class AddressCreate(RequestModel):
    """`city` is a code of `GET /cities`, `phone` E.164. The first address is the default whatever is said."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "label": "Home",
                    "recipient": "Aysel Quliyeva",
                    "phone": "+994501234567",
                    "line1": "Nizami 12, flat 4",
                    "city": "BAKU",
                    "postal_code": "AZ1000",
                }
            ]
        }
    )

    label: Label | None = None
    recipient: Recipient
    phone: Phone | None = None
    line1: Line
    line2: Line | None = None
    city: CityCode
    postal_code: PostalCode | None = None
    is_default: Default = False


class AddressUpdate(RequestModel):
    """A merge patch: absent fields stay, null clears what may be empty."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"is_default": True}, {"label": "Work", "line2": None}]})

    label: Label | None = None
    recipient: Recipient | None = None
    phone: Phone | None = None
    line1: Line | None = None
    line2: Line | None = None
    city: CityCode | None = None
    postal_code: PostalCode | None = None
    is_default: Default | None = None


class AddressesQuery(RequestModel):
    """One's own address book, the newest first."""

    limit: Annotated[int, Field(ge=1, le=100)] = 24
    cursor: Annotated[str, Field(max_length=500)] | None = None


class AddressRead(msgspec.Struct, frozen=True):
    """A place to send things to."""

    id: UUID
    label: str | None
    recipient: str
    phone: str | None
    line1: str
    line2: str | None
    city: str
    postal_code: str | None
    is_default: bool
    created_at: datetime
