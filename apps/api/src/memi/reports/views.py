"""Rows as the API shows them."""

from collections.abc import Sequence
from typing import Any, cast

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from memi.reports import queries, targets
from memi.reports.models import Appeal, Decision, Report
from memi.reports.queries import Seen
from memi.reports.schemas import AppealRead, DecisionRead, Outcome, QueuedReport, ReportRead, StaffReport


def outcome_of(action: str, appeal_status: str | None) -> Outcome:
    """What a reporter hears: whether something was done. What it was is for moderators and whom it concerns."""
    if action == "DISMISS":
        return "NO_ACTION"
    return "OVERTURNED" if appeal_status == "OVERTURNED" else "ACTION_TAKEN"


def own(item: Seen) -> ReportRead:
    report, decision = item.report, item.decision
    return ReportRead(
        id=report.id,
        target_type=cast("Any", report.target_type),
        target_id=report.target_id,
        reason=report.reason,
        details=report.details,
        status="OPEN" if decision is None else "RESOLVED",
        outcome=None if decision is None else outcome_of(decision.action, item.appeal_status),
        created_at=report.created_at,
        resolved_at=None if decision is None else decision.decided_at,
    )


def decision(row: Decision, appeal_status: str | None) -> DecisionRead:
    return DecisionRead(
        id=row.id,
        action=cast("Any", row.action),
        statement=row.statement,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        appeal_status=cast("Any", appeal_status),
    )


async def queued(session: AsyncSession, found: Sequence[Seen]) -> list[QueuedReport]:
    """In the order given: three statements however many they are."""
    counts = await queries.counts_of_targets(session, {_target(item.report) for item in found})
    offences = await queries.offences(session, {item.report.subject_id for item in found})
    items: list[QueuedReport] = []
    for item in found:
        report, (total, waiting) = item.report, counts[_target(item.report)]
        items.append(
            QueuedReport(
                id=report.id,
                reporter_id=report.reporter_id,
                subject_id=report.subject_id,
                target_type=cast("Any", report.target_type),
                target_id=report.target_id,
                reason=report.reason,
                details=report.details,
                status="RESOLVED" if item.decision is not None else "CLAIMED" if item.is_claimed else "OPEN",
                claimed_by=report.claimed_by if item.is_claimed else None,
                claimed_until=report.claimed_until if item.is_claimed else None,
                reports_of_target=total,
                open_reports_of_target=waiting,
                offences_of_subject=offences.get(report.subject_id, 0),
                decision=None if item.decision is None else decision(item.decision, item.appeal_status),
                created_at=report.created_at,
            )
        )
    return items


def _target(report: Report) -> tuple[str, Any]:
    return report.target_type, report.target_id


async def for_staff(session: AsyncSession, item: Seen) -> StaffReport:
    (shown,) = await queued(session, [item])
    return StaffReport(
        **msgspec.structs.asdict(shown),
        as_reported=item.report.snapshot,
        now=await targets.now(session, item.report),
        allowed_actions=list(targets.ACTIONS[item.report.target_type]),
    )


def appeal(row: Appeal, about: Decision, report: Report) -> AppealRead:
    return AppealRead(
        id=row.id,
        report_id=report.id,
        subject_id=about.subject_id,
        target_type=cast("Any", report.target_type),
        target_id=report.target_id,
        decision=decision(about, row.status),
        text=row.text,
        status=cast("Any", row.status),
        statement=row.statement,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        created_at=row.created_at,
    )
