"""Shapes of people: as themselves and as others see them."""

from datetime import datetime
from typing import Annotated, Literal
from unicodedata import category
from uuid import UUID

import msgspec
from pydantic import AfterValidator, ConfigDict, Field

from memi.platform.validation import RequestModel


def _one_visible_line(value: str) -> str:
    """A name that others see in the middle of a sentence: no line of its own, and not nothing."""
    if len(value.splitlines()) > 1 or "\t" in value:
        raise ValueError("bad_format: Must be a single line.")
    if all(category(character)[0] in "CMZ" for character in value):
        raise ValueError("bad_format: Must have characters that can be seen.")
    return value


Name = Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_one_visible_line)]
CityCode = Annotated[str, Field(min_length=1, max_length=40)]
Locale = Literal["az", "en", "ru"]
Phone = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$")]
"""E.164."""


class UserUpdate(RequestModel):
    """A merge patch: absent fields stay, null clears what may be empty."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"name": "Aysel", "bio": "Vintage only", "city": "BAKU"},
                {"avatar": "0197a1f0-7c1e-7d30-9a52-3a0f6f6f2b11"},
            ]
        }
    )

    name: Name | None = None
    bio: Annotated[str, Field(max_length=1000)] | None = None
    city: CityCode | None = None
    phone: Phone | None = None
    locale: Locale | None = None
    avatar: UUID | None = Field(None, description="Id of an upload of one's own that is READY.")


class UserRead(msgspec.Struct):
    """An account as its owner sees it. `impersonated_by` is who acts in the owner's place: show it for as long."""

    id: UUID
    email: str
    name: str
    bio: str | None
    avatar: UUID | None
    avatar_url: str | None
    city: str | None
    phone: str | None
    locale: str
    roles: list[str]
    email_verified: bool
    version: int
    created_at: datetime
    impersonated_by: UUID | None = None


class PublicProfile(msgspec.Struct):
    """A person as others see them; what they hide is null.

    `phone` is for people who are signed in. `last_seen_at` is cut to the hour. `reply_minutes`: how long a buyer
    typically waits for the first answer.
    """

    id: UUID
    name: str
    bio: str | None
    avatar_url: str | None
    city: str | None
    phone: str | None
    last_seen_at: datetime | None
    member_since: datetime
    active_listing_count: int
    sold_count: int
    reply_minutes: int | None
