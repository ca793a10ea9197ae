"""Shapes of the admin API."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from pydantic import AwareDatetime, ConfigDict, Field

from memi.chat.erasing import HeldBackBy
from memi.listings.schemas import ListingRead, StatusName
from memi.platform.paging import PageQuery
from memi.platform.permissions import Role
from memi.platform.validation import RequestModel

ReasonText = Annotated[str, Field(min_length=3, max_length=500)]
Code = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_.:\-]+$")]


class Reason(RequestModel):
    """Why: kept in the audit log. Whom something is taken from by it reads it too, and may appeal."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "Counterfeit, reported by the brand"}]})

    reason: ReasonText


class OptionalReason(RequestModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "The seller showed the receipt"}, {}]})

    reason: ReasonText | None = None


class RolesChange(Reason):
    """The staff roles an account shall have. USER and SELLER come by rule, so naming them changes nothing."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"roles": ["USER", "MODERATOR"], "reason": "Joins the team in Ganja"},
                {"roles": [], "reason": "Left the team"},
            ]
        }
    )

    roles: Annotated[list[Role], Field(max_length=8)]


class ManyJobs(Reason):
    """Dead jobs of one name."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "notifications.mail_jobs.send_mail", "reason": "The mail server is back"}]
        }
    )

    name: Code


class ListingQuery(PageQuery):
    status: StatusName | None = None
    seller: UUID | None = None
    flag: Annotated[Code, Field(description="Only listings with an open flag of this kind.")] | None = None
    flagged: Annotated[bool, Field(description="Only listings with an open flag, or without any.")] | None = None


class UserQuery(PageQuery):
    q: (
        Annotated[str, Field(min_length=2, max_length=254, description="A part of the address or name, or the id.")]
        | None
    ) = None
    role: Role | None = None
    blocked: bool | None = None
    deleted: bool | None = None


class JobQuery(PageQuery):
    name: Annotated[Code, Field(description="Only jobs of this name.")] | None = None


class AuditQuery(PageQuery):
    actor: UUID | None = None
    impersonator: Annotated[UUID, Field(description="Only what they did in somebody's place.")] | None = None
    action: Code | None = None
    target_type: Code | None = None
    target_id: Code | None = None


class ExportQuery(RequestModel):
    """Rows from `since` on and before `until`, by when they were made."""

    since: AwareDatetime | None = None
    until: AwareDatetime | None = None


class FlagRequest(RequestModel):
    """`kind` groups flags for the queue: any code, best one that is used already."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "COUNTERFEIT", "note": "The stitching looks wrong"}, {"kind": "SPAM"}]}
    )

    kind: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{1,39}$")]
    note: ReasonText | None = None


class FlagRead(msgspec.Struct):
    id: UUID
    kind: str
    source: str
    note: str | None
    created_at: datetime
    resolved_at: datetime | None


class ModeratedListing(ListingRead, frozen=True, kw_only=True):
    """A listing with what moderators were asked to look at, newest first.

    `purged_at`: since when only a stub is left of what its owner deleted, which cannot be restored.
    """

    flags: list[FlagRead]
    purged_at: datetime | None


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


class AccountNumbers(msgspec.Struct):
    """Kept as they change, never counted. `reply_minutes`: how long a buyer typically waits for the first answer."""

    active_listings: int
    sold: int
    reply_minutes: int | None


class AccountDetails(AccountRead):
    """`erase_after`: until then a deleted account can be had back."""

    bio: str | None
    avatar_url: str | None
    last_seen_at: datetime | None
    erase_after: datetime | None
    erased_at: datetime | None
    numbers: AccountNumbers


class WordsRead(msgspec.Struct):
    """What is left of what a person said in chats. `held_back_by`: why some of it cannot go yet.

    REPORT: a report about the chat is open, appealed, or was decided in the last 30 days. FLAG: a flag on a message of
    theirs is open. ORDER: an order of the two is paid or being paid, or its money has not come back.
    """

    user_id: UUID
    words_left: bool
    held_back_by: list[HeldBackBy]


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


class ManyJobsDone(msgspec.Struct):
    jobs: int
    more: bool


class DeadJobRead(msgspec.Struct):
    """A job that failed as often as it may; `payload` with secrets redacted."""

    id: UUID
    name: str
    payload: Any
    attempts: int
    error: str
    died_at: datetime
