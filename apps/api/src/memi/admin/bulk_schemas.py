"""Shapes of deeds done to many."""

from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from pydantic import AfterValidator, ConfigDict, Field

from memi.admin.schemas import Reason

MOST = 100


def _each_once(value: list[UUID]) -> list[UUID]:
    if len(set(value)) != len(value):
        raise ValueError("repeated: Names one more than once.")
    return value


Ids = Annotated[list[UUID], Field(min_length=1, max_length=MOST), AfterValidator(_each_once)]
_IDS: list[Any] = ["0197a1f0-7c1e-7d30-9a52-3a0f6f6f2b11", "0197a1f0-7c1e-7d30-9a52-3a0f6f6f2b12"]


class BulkListings(Reason):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"action": "REMOVE", "ids": _IDS, "reason": "One counterfeiter's stock"}]}
    )

    action: Literal["REMOVE", "RESTORE", "RESOLVE_FLAGS"]
    ids: Ids


class BulkUsers(Reason):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"action": "BLOCK", "ids": _IDS, "reason": "A ring of stolen accounts"}]}
    )

    action: Literal["BLOCK", "UNBLOCK"]
    ids: Ids


class BulkOutcome(msgspec.Struct):
    """`code` and `detail` say why it was refused, as the deed done to it alone would have."""

    id: UUID
    outcome: Literal["DONE", "REFUSED"]
    code: str | None = None
    detail: str | None = None


class BulkDone(msgspec.Struct):
    """In the order asked."""

    items: list[BulkOutcome]
    done: int
    refused: int
