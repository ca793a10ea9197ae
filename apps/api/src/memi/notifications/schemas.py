"""Shapes of notifications."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from pydantic import ConfigDict, Field

from memi.platform.validation import RequestModel


class NotificationQuery(RequestModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"unread": True, "limit": 24}]})

    unread: bool = False
    limit: Annotated[int, Field(ge=1, le=100)] = 24
    cursor: Annotated[str, Field(max_length=500)] | None = None


class NotificationRead(msgspec.Struct):
    """`event` says what happened, like "reservation.accepted"; `data` names whom and what it is about."""

    id: UUID
    type: str
    event: str
    data: dict[str, Any]
    read_at: datetime | None
    created_at: datetime


class UnreadCount(msgspec.Struct):
    """`count` goes to 100; `more` says that there are more."""

    count: int
    more: bool
