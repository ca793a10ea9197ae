"""Shapes of flags on messages, for moderators."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from pydantic import ConfigDict, Field

from memi.platform.validation import RequestModel

FlagStatus = Literal["OPEN", "RESOLVED"]


class FlagQuery(RequestModel):
    """The oldest first."""

    status: FlagStatus = "OPEN"
    kind: Annotated[str, Field(min_length=1, max_length=50, pattern="^[A-Z_]+$")] | None = None
    limit: Annotated[int, Field(ge=1, le=100, description="How many items at most.")] = 24
    cursor: Annotated[str, Field(min_length=1, max_length=500, description="From the page before.")] | None = None


class FlagResolution(RequestModel):
    """`reason` is kept in the audit log."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "They only agree on a place to meet"}, {}]})

    reason: Annotated[str, Field(min_length=3, max_length=500)] | None = None


class MessageFlagRead(msgspec.Struct):
    """What was flagged, without its words. `source` is RULE or PLUGIN."""

    id: UUID
    kind: str
    source: str
    note: str | None
    message_id: UUID
    chat_id: UUID
    listing_id: UUID
    sender_id: UUID
    seq: int
    sent_at: datetime
    created_at: datetime
    resolved_at: datetime | None


class FlaggedMessage(msgspec.Struct):
    """The flagged message itself."""

    flag: MessageFlagRead
    kind: str
    body: str
