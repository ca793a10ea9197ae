"""Shapes of what a person lets others see."""

from typing import Annotated

import msgspec
from pydantic import ConfigDict, Field

from memi.platform.validation import RequestModel

Choice = Annotated[bool, Field(strict=True)]


class PrivacyUpdate(RequestModel):
    """All of it: what is left out is an error, not a choice."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"show_city": True, "show_phone": False, "show_last_seen": True, "searchable": True}]
        }
    )

    show_city: Choice
    show_phone: Choice = Field(description="To people who are signed in.")
    show_last_seen: Choice = Field(description="When you were last here, and in open chats whether you are now.")
    searchable: Choice = Field(description="False: search engines are asked to leave your profile out.")


class PrivacyRead(msgspec.Struct, frozen=True):
    """What a person lets others see."""

    show_city: bool
    show_phone: bool
    show_last_seen: bool
    searchable: bool
