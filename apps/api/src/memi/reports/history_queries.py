"""Statements of what is known of one person's conduct, of giving it to them and of erasing it."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from memi.reports.models import STAFF, Appeal, Decision, Report

_ERASE_REPORTS = text(
    "UPDATE reports SET details = NULL, snapshot = CASE WHEN subject_id = :user THEN '{}' ELSE snapshot END "
    "WHERE subject_id = :user OR reporter_id = :user"
)
_ERASE_DECISIONS = text(
    "UPDATE moderation_decisions SET statement = '' WHERE subject_id = :user AND statement IS NOT NULL"
)
_ERASE_APPEALS = text(
    "UPDATE moderation_appeals a SET text = '', statement = CASE WHEN a.statement IS NULL THEN NULL ELSE '' END "
    "FROM moderation_decisions d WHERE d.id = a.decision_id AND d.subject_id = :user"
)


class Counts(NamedTuple):
    against: int
    against_open: int
    made: int


async def counts(session: AsyncSession, user_id: UUID) -> Counts:
    against, made = Report.subject_id == user_id, Report.reporter_id == user_id
    row = await session.execute(
        select(
            func.count().filter(against),
            func.count().filter(against, Report.status == "OPEN"),
            func.count().filter(made),
        ).where(or_(against, made), Report.reason != STAFF)
    )
    return Counts(*row.one())


async def tally(session: AsyncSession, user_id: UUID) -> dict[tuple[str, bool], int]:
    """Decisions about a person, by action and whether an appeal overturned them."""
    overturned = func.coalesce(Appeal.status == "OVERTURNED", False)
    rows = await session.execute(
        select(Decision.action, overturned, func.count())
        .outerjoin(Appeal, Appeal.decision_id == Decision.id)
        .where(Decision.subject_id == user_id)
        .group_by(Decision.action, overturned)
    )
    return {(action, undone): count for action, undone, count in rows}


async def decisions(
    session: AsyncSession, user_id: UUID, before: UUID | None, limit: int
) -> Sequence[tuple[Decision, Appeal | None]]:
    """About a person, newest first."""
    statement = (
        select(Decision, Appeal)
        .outerjoin(Appeal, Appeal.decision_id == Decision.id)
        .where(Decision.subject_id == user_id)
        .order_by(Decision.id.desc())
        .limit(limit)
    )
    rows = await session.execute(statement if before is None else statement.where(Decision.id < before))
    return [(row[0], row[1]) for row in rows]


async def erase(session: AsyncSession, user_id: UUID) -> None:
    """Words by and about them go, and how things of theirs looked; that there was something to decide stays."""
    for statement in (_ERASE_REPORTS, _ERASE_DECISIONS, _ERASE_APPEALS):
        await session.execute(statement, {"user": user_id})


async def end_claims(session: AsyncSession, user_id: UUID) -> None:
    """What a moderator who leaves was working on is free for others."""
    await session.execute(
        update(Report)
        .where(Report.claimed_by == user_id)
        .values(claimed_by=None, claimed_until=None)
        .execution_options(synchronize_session=False)
    )
