"""What staff export of reports: not what was reported, which a claim opens."""

from datetime import datetime
from typing import Any

from sqlalchemy import Select, select

from memi.reports.models import Appeal, Decision, Report


def reports(since: datetime | None, until: datetime | None) -> Select[*tuple[Any, ...]]:
    """Lent statement: reports of this time with what was decided, oldest first."""
    statement = (
        select(
            Report.id,
            Report.created_at,
            Report.status,
            Report.target_type,
            Report.target_id,
            Report.reason,
            Report.details,
            Report.reporter_id,
            Report.subject_id,
            Decision.action,
            Decision.statement,
            Decision.decided_by,
            Decision.decided_at,
            Appeal.status.label("appeal_status"),
        )
        .outerjoin(Decision, Decision.id == Report.decision_id)
        .outerjoin(Appeal, Appeal.decision_id == Decision.id)
        .order_by(Report.id)
    )
    if since is not None:
        statement = statement.where(Report.created_at >= since)
    return statement if until is None else statement.where(Report.created_at < until)
