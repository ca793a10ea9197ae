"""Shapes of blocks."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from pydantic import Field

from memi.platform.validation import RequestModel


class BlocksQuery(RequestModel):
    """Whom one has blocked, the latest first."""

    limit: Annotated[int, Field(ge=1, le=100)] = 24
    cursor: Annotated[str, Field(max_length=500)] | None = None


class BlockedPerson(msgspec.Struct, frozen=True):
    """Somebody one has blocked; `id` is theirs."""

    id: UUID
    name: str
    avatar_url: str | None
    blocked_at: datetime
