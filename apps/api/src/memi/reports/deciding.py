"""A moderator's decision: one transaction with what it does, and with everybody's report that it settles."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.audit import service as audit
from memi.platform.errors import NotFound, ValidationFailed
from memi.platform.events import publish
from memi.platform.principal import Principal
from memi.reports import deeds, queries, targets, triage
from memi.reports.errors import ActionDoesNotFit, NotImpartial
from memi.reports.events import ReportsResolved
from memi.reports.models import Decision
from memi.reports.schemas import ResolveRequest, StaffReport

# Locks: the reports in the order of their ids, the account, then listing, hold, reservation, order, chat.


async def resolve(session: AsyncSession, caller: Principal, report_id: UUID, data: ResolveRequest) -> StaffReport:
    """Settle a report that the caller has claimed, and with it the other open ones of what is acted upon.

    Raises `NotFound`, `ReportIsResolved`, `NotClaimed`, `ActionDoesNotFit`, `PermissionDenied`, `StepUpRequired`,
    `ValidationFailed`, and what stands against the action itself.
    """
    seen = await queries.seen(session, report_id)
    if seen is None:
        raise NotFound
    locked = await queries.lock_with_alike(session, seen.report, data.action)
    report = locked[report_id]
    await triage.require_claim(session, caller, report)
    allowed = targets.ACTIONS[report.target_type]
    if data.action not in allowed:
        raise ActionDoesNotFit(list(allowed))
    if data.action != "DISMISS" and data.statement is None:
        raise ValidationFailed.of("/statement", "required", "Say to the affected person why.")
    deeds.require_right(caller, data.action)
    # The other reports may be the caller's own: then a colleague decides.
    if caller.user_id in {item.reporter_id for item in locked.values()}:
        raise NotImpartial
    await deeds.lock_subject(session, data.action, report.subject_id)
    decision = Decision(
        subject_id=report.subject_id, action=data.action, statement=data.statement, decided_by=caller.user_id
    )
    session.add(decision)
    await session.flush()
    await deeds.do(session, caller, decision, report)
    for item in locked.values():
        item.status, item.decision_id, item.claimed_by, item.claimed_until = "RESOLVED", decision.id, None, None
    await session.flush()
    facts = {
        "action": data.action,
        "decision_id": decision.id,
        "target_type": report.target_type,
        "target_id": report.target_id,
        "with": sorted(str(other) for other in locked if other != report_id),
    }
    await audit.record(session, caller, "report.resolve", "REPORT", report_id, reason=data.statement, after=facts)
    publish(session, ReportsResolved(decision.id))
    return await triage.read(session, report_id)
