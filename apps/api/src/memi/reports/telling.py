"""What people are told of decisions, for the feature that tells them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.reports import queries, views
from memi.reports.appeals import WITHIN
from memi.reports.models import STAFF, Report
from memi.reports.schemas import Outcome


@dataclass(frozen=True)
class Decided:
    """`statement` is for the affected person alone; reporters hear the outcome."""

    subject_id: UUID
    report: Report
    action: str
    statement: str | None
    appeal_until: datetime
    outcome: Outcome
    reports: list[Report]


async def of_decision(session: AsyncSession, decision_id: UUID) -> Decided:
    decision = await queries.decision(session, decision_id)
    assert decision is not None
    reports = list(await queries.reports_of(session, decision_id))
    seen = await queries.seen(session, reports[0].id)
    assert seen is not None
    return Decided(
        subject_id=decision.subject_id,
        report=reports[0],
        action=decision.action,
        statement=decision.statement,
        appeal_until=decision.decided_at + WITHIN,
        outcome=views.outcome_of(decision.action, seen.appeal_status),
        reports=[report for report in reports if report.reason != STAFF],
    )


async def of_appeal(session: AsyncSession, appeal_id: UUID) -> tuple[Decided, str, str | None]:
    """(what had been decided, the appeal's status, the statement for whoever appealed)."""
    appeal = await queries.appeal(session, appeal_id)
    assert appeal is not None
    return await of_decision(session, appeal.decision_id), appeal.status, appeal.statement
