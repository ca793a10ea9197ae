"""Every statement of the audit feature."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from memi.audit.models import AuditEntry
from memi.audit.schemas import AuditFilter
from memi.platform.paging import Found, Place
from memi.platform.paging_queries import page_of


async def find(
    session: AsyncSession, wanted: AuditFilter, before: tuple[datetime, UUID] | None, limit: int
) -> Sequence[AuditEntry]:
    """Newest first. Entries of one transaction share their time; the id orders them."""
    statement = fitting(wanted).order_by(AuditEntry.at.desc(), AuditEntry.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(tuple_(AuditEntry.at, AuditEntry.id) < before)
    return (await session.scalars(statement)).all()


async def page(session: AsyncSession, wanted: AuditFilter, place: Place) -> Found[AuditEntry]:
    return await page_of(session, fitting(wanted), place, AuditEntry.at, AuditEntry.id)


def fitting(wanted: AuditFilter) -> Select[AuditEntry]:
    statement = select(AuditEntry)
    for column, value in (
        (AuditEntry.actor_id, wanted.actor),
        (AuditEntry.action, wanted.action),
        (AuditEntry.target_type, wanted.target_type),
        (AuditEntry.target_id, wanted.target_id),
        (AuditEntry.impersonator_id, wanted.impersonator),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if wanted.by_themselves:
        statement = statement.where(AuditEntry.impersonator_id.is_(None))
    return statement
