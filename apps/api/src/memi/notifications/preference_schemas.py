"""Shapes of preferences."""

from typing import Annotated, Any, Literal, Self

import msgspec
from pydantic import ConfigDict, Field, model_validator

from memi.platform.validation import RequestModel

Type = Literal["MESSAGE", "RESERVATION", "ORDER", "LISTING", "MODERATION", "GENERIC"]
Channel = Literal["in_app", "push", "email"]
Digest = Literal["off", "daily"]
_TimeOfDay = Annotated[str, Field(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")]
_ALL = {"in_app": True, "push": True, "email": True}
_EXAMPLE: dict[str, Any] = {
    "types": {
        "MESSAGE": _ALL,
        "RESERVATION": _ALL,
        "ORDER": _ALL,
        "LISTING": {**_ALL, "email": False},
        "MODERATION": _ALL,
        "GENERIC": {**_ALL, "email": False},
    },
    "quiet_hours": {"from": "22:30", "to": "08:00", "time_zone": "Asia/Baku"},
    "digest": "daily",
}


class Ways(msgspec.Struct, frozen=True):
    """By which ways a type of news comes; `push` is the open socket."""

    in_app: bool
    push: bool
    email: bool


class QuietHours(msgspec.Struct):
    """Times of day in a zone; they may go over midnight."""

    from_: str = msgspec.field(name="from")
    to: str
    time_zone: str


class Preferences(msgspec.Struct):
    """The whole of it."""

    types: dict[Type, Ways]
    quiet_hours: QuietHours | None
    digest: Digest


class WaysUpdate(RequestModel):
    in_app: bool
    push: bool
    email: bool


class QuietHoursUpdate(RequestModel):
    from_: Annotated[_TimeOfDay, Field(alias="from")]
    to: _TimeOfDay
    time_zone: Annotated[str, Field(min_length=1, max_length=64)]

    @model_validator(mode="after")
    def _is_a_time(self) -> Self:
        if self.from_ == self.to:
            raise ValueError("empty: Quiet hours begin and end at different times.")
        return self


class TypesUpdate(RequestModel):
    MESSAGE: WaysUpdate
    RESERVATION: WaysUpdate
    ORDER: WaysUpdate
    LISTING: WaysUpdate
    MODERATION: WaysUpdate
    GENERIC: WaysUpdate

    def __getitem__(self, type: Type) -> WaysUpdate:
        return getattr(self, type)


class PreferencesUpdate(RequestModel):
    """The whole table: what is left out is an error, not a default."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    types: TypesUpdate
    quiet_hours: QuietHoursUpdate | None
    digest: Digest
