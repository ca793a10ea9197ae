"""Shapes of people: as themselves and as others see them."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from pydantic import ConfigDict, Field

from memi.platform.validation import RequestModel

Name = Annotated[str, Field(min_length=1, max_length=80)]
CityCode = Annotated[str, Field(min_length=1, max_length=40)]
Locale = Literal["az", "en", "ru"]


class UserUpdate(RequestModel):
    """A merge patch: absent fields stay, null clears what may be empty."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Aysel", "bio": "Vintage only", "city": "BAKU"}]}
    )

    name: Name | None = None
    bio: Annotated[str, Field(max_length=1000)] | None = None
    city: CityCode | None = None
    phone: Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$")] | None = None
    locale: Locale | None = None


class UserRead(msgspec.Struct):
    """An account as its owner sees it."""

    id: UUID
    email: str
    name: str
    bio: str | None
    avatar_url: str | None
    city: str | None
    phone: str | None
    locale: str
    roles: list[str]
    email_verified: bool
    version: int
    created_at: datetime


class PublicProfile(msgspec.Struct):
    """A person as anyone sees them."""

    id: UUID
    name: str
    bio: str | None
    avatar_url: str | None
    city: str | None
    member_since: datetime
    active_listing_count: int
    sold_count: int
    reply_minutes: int | None
