"""What is kept of people here: what staff did, and what was decided about whom."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.audit import queries
from memi.audit.schemas import AuditFilter
from memi.platform.personal_data import Batch, Kind, PersonalData

_PAGE = 500
_WHY = "a record of what staff did that can be added to and nothing else; it names people by id only"


async def _deeds(session: AsyncSession, user_id: UUID, before: Any) -> Batch:
    return await _done(session, AuditFilter(actor=user_id, by_themselves=True), before)


async def _deeds_as_others(session: AsyncSession, user_id: UUID, before: Any) -> Batch:
    return await _done(session, AuditFilter(impersonator=user_id), before)


async def _done(session: AsyncSession, wanted: AuditFilter, before: Any) -> Batch:
    rows = await queries.find(session, wanted, before, _PAGE)
    records = [
        {
            "at": row.at,
            "action": row.action,
            "target_type": row.target_type,
            "target_id": row.target_id,
            "reason": row.reason,
        }
        for row in rows
    ]
    return Batch(records, (rows[-1].at, rows[-1].id) if len(rows) == _PAGE else None)


async def _decisions(session: AsyncSession, user_id: UUID, before: Any) -> Batch:
    """Not by whom, and not the note, in which others may be named."""
    rows = await queries.find(session, AuditFilter(target_type="USER", target_id=str(user_id)), before, _PAGE)
    records = [{"at": row.at, "action": row.action} for row in rows]
    return Batch(records, (rows[-1].at, rows[-1].id) if len(rows) == _PAGE else None)


PERSONAL_DATA = PersonalData(
    feature="audit",
    kinds=(
        Kind("staff_deeds", "What you did as a member of staff.", _deeds),
        Kind("staff_deeds_as_others", "What you did in somebody else's place.", _deeds_as_others),
        Kind("decisions", "What staff decided about your account.", _decisions),
    ),
    kept={"audit_log.actor_id": _WHY, "audit_log.impersonator_id": _WHY},
)
