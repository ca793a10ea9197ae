"""What staff export of the audit log."""

from datetime import datetime
from typing import Any

from sqlalchemy import Select, select

from memi.audit.models import AuditEntry


def entries(since: datetime | None, until: datetime | None) -> Select[*tuple[Any, ...]]:
    """Lent statement: entries of this time, oldest first."""
    statement = select(
        AuditEntry.id,
        AuditEntry.at,
        AuditEntry.actor_id,
        AuditEntry.impersonator_id,
        AuditEntry.action,
        AuditEntry.target_type,
        AuditEntry.target_id,
        AuditEntry.reason,
        AuditEntry.before,
        AuditEntry.after,
    ).order_by(AuditEntry.at, AuditEntry.id)
    if since is not None:
        statement = statement.where(AuditEntry.at >= since)
    return statement if until is None else statement.where(AuditEntry.at < until)
