"""Appeals: the affected person's one answer to a decision, decided by somebody else."""

from datetime import timedelta
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from memi.audit import service as audit
from memi.platform.cursors import CursorSigner
from memi.platform.errors import NotFound
from memi.platform.events import publish
from memi.platform.paging import Listed, listed, place_of
from memi.platform.principal import Principal
from memi.reports import deeds, queries, views
from memi.reports.errors import (
    AlreadyAppealed,
    AppealIsDecided,
    AppealTooLate,
    NotImpartial,
    NotYoursToAppeal,
    SameModerator,
)
from memi.reports.events import AppealDecided
from memi.reports.schemas import AppealDecision, AppealQuery, AppealRead, AppealRequest, DecidedAppeal, OwnAppeal

# As long as this, words of who is gone are not erased either: the SQL function `chats_looked_at` says the same number.
WITHIN = timedelta(days=30)


async def appeal(session: AsyncSession, user_id: UUID, report_id: UUID, data: AppealRequest) -> OwnAppeal:
    """Ask for a decision about oneself to be looked at again.

    Raises `NotFound`, `NotYoursToAppeal` for the reporter, `AlreadyAppealed`, `AppealTooLate`.
    """
    seen = await queries.seen(session, report_id)
    if seen is None:
        raise NotFound
    if user_id == seen.report.reporter_id:
        raise NotYoursToAppeal
    # Whom a report is about does not learn of it before something is done.
    if user_id != seen.report.subject_id or seen.decision is None or seen.decision.action == "DISMISS":
        raise NotFound
    if seen.appeal_status is not None:
        raise AlreadyAppealed
    if await queries.is_older(session, seen.decision.id, WITHIN):
        raise AppealTooLate
    made = await queries.add_appeal(session, seen.decision.id, data.text)
    if made is None:
        raise AlreadyAppealed
    return OwnAppeal(made.id, report_id, "OPEN", made.created_at)


async def queue(session: AsyncSession, cursors: CursorSigner, asked: AppealQuery) -> Listed[AppealRead]:
    """Oldest first; raises `InvalidCursor`, `PageTooDeep`, `ValidationFailed`."""
    place = place_of(cursors, f"admin.appeals:{asked.status}", asked, (UUID,))
    found = await queries.appeals(session, asked.status, place)
    return listed(cursors, place, found, [views.appeal(*row) for row in found.rows], lambda item: (item.id,))


async def decide(session: AsyncSession, caller: Principal, appeal_id: UUID, data: AppealDecision) -> DecidedAppeal:
    """Uphold the decision, or overturn it and undo what it did.

    Raises `NotFound`, `SameModerator`, `NotImpartial`, `AppealIsDecided`, `PermissionDenied`, `StepUpRequired`.
    """
    row = await queries.lock_appeal(session, appeal_id)
    if row is None:
        raise NotFound
    decision = await queries.decision(session, row.decision_id)
    assert decision is not None
    reports = await queries.reports_of(session, decision.id)
    if caller.user_id == decision.decided_by:
        raise SameModerator
    if caller.user_id == decision.subject_id or caller.user_id in {item.reporter_id for item in reports}:
        raise NotImpartial
    if row.status != "OPEN":
        raise AppealIsDecided
    restored = False
    if data.decision == "OVERTURN":
        deeds.require_right(caller, decision.action)
        restored = await deeds.undo(session, caller, decision, reports[0], data.statement)
    decided_at = await queries.database_now(session)
    row.status = "OVERTURNED" if data.decision == "OVERTURN" else "UPHELD"
    row.statement, row.decided_by, row.decided_at = data.statement, caller.user_id, decided_at
    await session.flush()
    facts = {"status": row.status, "decision_id": decision.id, "restored": restored}
    await audit.record(
        session,
        caller,
        "appeal.decide",
        "APPEAL",
        appeal_id,
        reason=data.statement,
        before={"status": "OPEN"},
        after=facts,
    )
    publish(session, AppealDecided(appeal_id))
    return DecidedAppeal(**msgspec.structs.asdict(views.appeal(row, decision, reports[0])), restored=restored)
