"""Shapes of rebuilding what searches read."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

import msgspec
from pydantic import AwareDatetime, ConfigDict, Field, model_validator

from memi.platform.validation import RequestModel


class ReplayRequest(RequestModel):
    """`since` asks for what changed from then on, within the last day; `listing_ids` for these alone."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"scope": "all"},
                {"scope": "listing_ids", "listing_ids": ["0197a1f0-7c1e-7d30-9a52-3a0f6f6f2b11"]},
            ]
        }
    )

    scope: Literal["all", "since", "listing_ids"]
    since: AwareDatetime | None = None
    listing_ids: Annotated[list[UUID], Field(min_length=1, max_length=1000)] | None = None

    @model_validator(mode="after")
    def _fits_the_scope(self) -> Self:
        given = {name for name in ("since", "listing_ids") if getattr(self, name) is not None}
        if given != {self.scope} - {"all"}:
            raise ValueError("does_not_fit: Give what the scope names, and nothing else.")
        return self


class ReplayRead(msgspec.Struct):
    """`handled` listings so far, of about `estimated_total`, which is null where nobody knows."""

    id: UUID
    scope: str
    since: datetime | None
    status: Literal["QUEUED", "RUNNING", "DONE"]
    handled: int
    estimated_total: int | None
    created_at: datetime
    finished_at: datetime | None
