"""Shapes of reports, decisions and appeals."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from pydantic import AfterValidator, ConfigDict, Field

from memi.chat.schemas import MAX_SEQ
from memi.platform import paging
from memi.platform.validation import RequestModel

TargetType = Literal["LISTING", "USER", "CHAT", "MESSAGE"]
Reason = Literal[
    "COUNTERFEIT", "PROHIBITED", "MISLEADING", "SCAM", "OFFENSIVE", "HARASSMENT", "SPAM", "IMPERSONATION", "OTHER"
]
Action = Literal["DISMISS", "REMOVE_LISTING", "WARN_USER", "BLOCK_USER", "CLOSE_CHAT"]
QueueStatus = Literal["OPEN", "CLAIMED", "RESOLVED"]
Outcome = Literal["NO_ACTION", "ACTION_TAKEN", "OVERTURNED"]
AppealStatus = Literal["OPEN", "UPHELD", "OVERTURNED"]
_ID = "0192f3a4-5b6c-7d8e-9f00-1a2b3c4d5e6f"


def _storable(value: str) -> str:
    if "\0" in value:
        raise ValueError("bad_format: Must not contain the NUL character.")
    return value


Words = Annotated[str, Field(min_length=3, max_length=2000), AfterValidator(_storable)]


class ReportRequest(RequestModel):
    """`details` are needed where the reason is OTHER."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"target_type": "LISTING", "target_id": _ID, "reason": "COUNTERFEIT", "details": "The label is wrong."},
                {"target_type": "MESSAGE", "target_id": _ID, "reason": "HARASSMENT"},
            ]
        }
    )

    target_type: TargetType
    target_id: UUID
    reason: Reason
    details: Words | None = None


class ResolveRequest(RequestModel):
    """`statement` is what the affected person reads: needed for every action but DISMISS."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"action": "REMOVE_LISTING", "statement": "The item is a counterfeit, which our rules forbid."},
                {"action": "DISMISS"},
            ]
        }
    )

    action: Action
    statement: Words | None = None


class AppealRequest(RequestModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "It is genuine; I can show the receipt."}]})

    text: Words


_Token = Annotated[str, Field(min_length=1, max_length=500)]


class BlockedPerson(RequestModel):
    """`appeal_token` is what signing in answers with (403 `account_blocked`); it is good for an hour."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"appeal_token": "CGE0ZjBiM2..."}]})

    appeal_token: _Token


class BlockedAppeal(RequestModel):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"appeal_token": "CGE0ZjBiM2...", "text": "It was not me who wrote that."}]}
    )

    appeal_token: _Token
    text: Words


class AppealDecision(RequestModel):
    """`statement` is what the person who appealed reads."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"decision": "OVERTURN", "statement": "The receipt shows that it is genuine."}]}
    )

    decision: Literal["UPHOLD", "OVERTURN"]
    statement: Words


class PageQuery(RequestModel):
    limit: Annotated[int, Field(ge=1, le=100, description="How many items at most.")] = 24
    cursor: Annotated[str, Field(min_length=1, max_length=500, description="From the page before.")] | None = None


class QueueQuery(paging.PageQuery):
    """Without `status`, what is not resolved."""

    status: QueueStatus | None = None
    target_type: TargetType | None = None


class AppealQuery(paging.PageQuery):
    status: AppealStatus = "OPEN"


class LookQuery(RequestModel):
    """Messages before this one, newest first; without it the newest."""

    before_seq: Annotated[int, Field(ge=0, le=MAX_SEQ)] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 24


class ReportRead(msgspec.Struct):
    """A report as whoever made it sees it. `outcome` is null while it is OPEN."""

    id: UUID
    target_type: TargetType
    target_id: UUID
    reason: str
    details: str | None
    status: Literal["OPEN", "RESOLVED"]
    outcome: Outcome | None
    created_at: datetime
    resolved_at: datetime | None


class DecisionRead(msgspec.Struct):
    """What was decided; `appeal_status` is null when nobody appealed."""

    id: UUID
    action: Action
    statement: str | None
    decided_by: UUID
    decided_at: datetime
    appeal_status: AppealStatus | None


class QueuedReport(msgspec.Struct):
    """A report as moderators see it.

    `reports_of_target` counts all that were ever made of the target, `open_reports_of_target` those that wait,
    `offences_of_subject` the actions taken against the person before, without those that were overturned.
    """

    id: UUID
    reporter_id: UUID
    subject_id: UUID
    target_type: TargetType
    target_id: UUID
    reason: str
    details: str | None
    status: QueueStatus
    claimed_by: UUID | None
    claimed_until: datetime | None
    reports_of_target: int
    open_reports_of_target: int
    offences_of_subject: int
    decision: DecisionRead | None
    created_at: datetime


class StaffReport(QueuedReport):
    """With the target `as_reported`, frozen, and as it is `now` (null when it is gone). Neither holds messages."""

    as_reported: dict[str, Any]
    now: dict[str, Any] | None
    allowed_actions: list[Action]


class AppealRead(msgspec.Struct):
    id: UUID
    report_id: UUID
    subject_id: UUID
    target_type: TargetType
    target_id: UUID
    decision: DecisionRead
    text: str
    status: AppealStatus
    statement: str | None
    decided_by: UUID | None
    decided_at: datetime | None
    created_at: datetime


class DecidedAppeal(AppealRead):
    """`restored`: whether what the decision had done was undone; false when something else had changed it since."""

    restored: bool


class OwnAppeal(msgspec.Struct):
    """An appeal as whoever made it sees it."""

    id: UUID
    report_id: UUID
    status: AppealStatus
    created_at: datetime


class BlockRead(msgspec.Struct):
    """Why somebody was blocked, and until when they may appeal."""

    report_id: UUID
    statement: str | None
    decided_at: datetime
    appeal_until: datetime
    appeal_status: AppealStatus | None


class UserModeration(msgspec.Struct):
    """What is known of a person's conduct. Reports are counted; of decisions the newest hundred are listed."""

    user_id: UUID
    is_blocked: bool
    reports_against: int
    open_reports_against: int
    reports_made: int
    dismissed: int
    warnings: int
    removed_listings: int
    blocks: int
    closed_chats: int
    overturned: int
    decisions: list[DecisionRead]
