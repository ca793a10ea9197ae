"""What is kept of people here: what they reported, and what was decided about them. Words go with the account."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.personal_data import Batch, Kind, PersonalData
from memi.reports import history_queries, queries, views

_PAGE = 500
_WHY = "whoever decides about conduct must know what went before; names and words are forgotten"
_STAFF = "who decided what is kept, as in the audit log"


async def _reports(session: AsyncSession, user_id: UUID, before: UUID | None) -> Batch:
    rows = await queries.own(session, user_id, before, _PAGE)
    return Batch([views.own(row) for row in rows], rows[-1].report.id if len(rows) == _PAGE else None)


async def _decisions(session: AsyncSession, user_id: UUID, before: UUID | None) -> Batch:
    """Not by whom, nor what nobody acted upon."""
    rows = await history_queries.decisions(session, user_id, before, _PAGE)
    records = [
        {
            "action": row.action,
            "statement": row.statement,
            "decided_at": row.decided_at,
            "your_appeal": None if appeal is None else appeal.text,
            "appeal_status": None if appeal is None else appeal.status,
            "appeal_statement": None if appeal is None else appeal.statement,
        }
        for row, appeal in rows
        if row.action != "DISMISS"
    ]
    return Batch(records, rows[-1][0].id if len(rows) == _PAGE else None)


async def _erase(session: AsyncSession, user_id: UUID) -> None:
    await history_queries.erase(session, user_id)
    await history_queries.end_claims(session, user_id)


PERSONAL_DATA = PersonalData(
    feature="reports",
    kinds=(
        Kind("reports", "What you reported, and what came of it.", _reports),
        Kind("moderation", "What moderators decided about you, why, and your appeals.", _decisions),
    ),
    erase=_erase,
    erased=frozenset({"reports.claimed_by"}),
    kept={
        "reports.reporter_id": _WHY,
        "reports.subject_id": _WHY,
        "moderation_decisions.subject_id": _WHY,
        "moderation_decisions.decided_by": _STAFF,
        "moderation_appeals.decided_by": _STAFF,
    },
)
