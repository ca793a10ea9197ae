"""Shapes of the admin API."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from pydantic import ConfigDict, Field

from memi.listings.schemas import ListingRead, StatusName
from memi.platform.validation import RequestModel

ReasonText = Annotated[str, Field(min_length=3, max_length=500)]
Code = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_.:\-]+$")]


class Reason(RequestModel):
    """Why: kept in the audit log."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "Counterfeit, reported by the brand"}]})

    reason: ReasonText


class OptionalReason(RequestModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "The seller showed the receipt"}, {}]})

    reason: ReasonText | None = None


class PageQuery(RequestModel):
    limit: Annotated[int, Field(ge=1, le=100, description="How many items at most.")] = 24
    cursor: Annotated[str, Field(min_length=1, max_length=500, description="From the page before.")] | None = None


class ListingQuery(PageQuery):
    status: StatusName | None = None
    seller: UUID | None = None
    flag: Annotated[Code, Field(description="Only listings with an open flag of this kind.")] | None = None


class UserQuery(PageQuery):
    q: Annotated[str, Field(min_length=2, max_length=254, description="A part of the address or name.")] | None = None


class AuditQuery(PageQuery):
    actor: UUID | None = None
    action: Code | None = None
    target_type: Code | None = None
    target_id: Code | None = None


class FlagRead(msgspec.Struct):
    id: UUID
    kind: str
    source: str
    note: str | None
    created_at: datetime
    resolved_at: datetime | None


class ModeratedListing(ListingRead, frozen=True, kw_only=True):
    """A listing with what moderators were asked to look at, newest first."""

    flags: list[FlagRead]


class AccountRead(msgspec.Struct):
    """An account as staff see it."""

    id: UUID
    email: str
    name: str
    city: str | None
    phone: str | None
    locale: str
    roles: list[str]
    email_verified: bool
    is_blocked: bool
    version: int
    created_at: datetime
    deleted_at: datetime | None


class AuditEntryRead(msgspec.Struct):
    id: UUID
    at: datetime
    actor_id: UUID | None
    impersonator_id: UUID | None
    action: str
    target_type: str
    target_id: str
    reason: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class DeadJobRead(msgspec.Struct):
    """A job that failed as often as it may; `payload` with secrets redacted."""

    id: UUID
    name: str
    payload: Any
    attempts: int
    error: str
    died_at: datetime
