"""Every statement of the reports feature."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Interval, Select, and_, func, literal, or_, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.ids import new_id
from memi.platform.paging import Found, Place
from memi.platform.paging_queries import rows_of_page
from memi.reports.models import OPEN, STAFF, Appeal, Decision, Report
from memi.reports.schemas import Action

CLAIM = timedelta(minutes=30)
_NOW = func.clock_timestamp()
_IS_CLAIMED = and_(Report.claimed_until.is_not(None), Report.claimed_until > _NOW)
_OVERTURNED = select(Appeal.id).where(Appeal.decision_id == Decision.id, Appeal.status == "OVERTURNED").exists()


COUNTED_TO = 1000
WAITING = """
SELECT kind, count(created_at) AS waiting,
    coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 AS oldest
FROM (VALUES ('report'), ('appeal')) AS kinds (kind) LEFT JOIN (
    (SELECT 'report' AS kind, created_at FROM reports WHERE status = 'OPEN' ORDER BY id LIMIT $1)
    UNION ALL
    (SELECT 'appeal', created_at FROM moderation_appeals WHERE status = 'OPEN' ORDER BY id LIMIT $1)
) AS open USING (kind)
GROUP BY kind
"""
"""How many of each kind are open, counted to $1, and since how many seconds the oldest is."""


class Seen(NamedTuple):
    """A report, whether its claim lasts, and what was decided."""

    report: Report
    is_claimed: bool
    decision: Decision | None
    appeal_status: str | None


_SEEN = (
    select(Report, _IS_CLAIMED, Decision, Appeal.status)
    .outerjoin(Decision, Decision.id == Report.decision_id)
    .outerjoin(Appeal, Appeal.decision_id == Decision.id)
)


async def add(session: AsyncSession, values: dict[str, Any]) -> UUID | None:
    """The new report's id; None when the reporter has an open one of the same target."""
    statement = (
        insert(Report)
        .values(id=new_id(), **values)
        .on_conflict_do_nothing(
            index_elements=[Report.reporter_id, Report.target_type, Report.target_id], index_where=text(OPEN)
        )
        .returning(Report.id)
    )
    return await session.scalar(statement)


async def open_of(session: AsyncSession, reporter_id: UUID, target_type: str, target_id: UUID) -> UUID | None:
    return await session.scalar(
        select(Report.id).where(
            Report.reporter_id == reporter_id,
            Report.target_type == target_type,
            Report.target_id == target_id,
            Report.status == "OPEN",
        )
    )


async def seen(session: AsyncSession, report_id: UUID) -> Seen | None:
    found = await _all_seen(session, _SEEN.where(Report.id == report_id))
    return found[0] if found else None


async def own(session: AsyncSession, reporter_id: UUID, before: UUID | None, limit: int) -> Sequence[Seen]:
    """What a person reported, newest first."""
    statement = (
        _SEEN.where(Report.reporter_id == reporter_id, Report.reason != STAFF).order_by(Report.id.desc()).limit(limit)
    )
    return await _all_seen(session, statement if before is None else statement.where(Report.id < before))


async def queue(session: AsyncSession, status: str | None, target_type: str | None, place: Place) -> Found[Seen]:
    """Oldest first; without `status` what is not resolved."""
    statement = _SEEN.where(Report.status == ("RESOLVED" if status == "RESOLVED" else "OPEN"))
    if status in ("OPEN", "CLAIMED"):
        statement = statement.where(_IS_CLAIMED if status == "CLAIMED" else ~_IS_CLAIMED)
    if target_type is not None:
        statement = statement.where(Report.target_type == target_type)
    found = await rows_of_page(session, statement, place, Report.id, newest_first=False)
    return Found([Seen(*row) for row in found.rows], found.more, found.counted)


async def _all_seen(session: AsyncSession, statement: Select[*tuple[Any, ...]]) -> Sequence[Seen]:
    rows = await session.execute(statement.execution_options(populate_existing=True))
    return [Seen(*row) for row in rows]


async def counts_of_targets(
    session: AsyncSession, targets: Collection[tuple[str, UUID]]
) -> dict[tuple[str, UUID], tuple[int, int]]:
    """How many reports there are of each target, and how many of them are open."""
    rows = await session.execute(
        select(
            Report.target_type,
            Report.target_id,
            func.count().filter(Report.reason != STAFF),
            func.count().filter(Report.status == "OPEN"),
        )
        .where(tuple_(Report.target_type, Report.target_id).in_(targets))
        .group_by(Report.target_type, Report.target_id)
    )
    return {(kind, target_id): (total, waiting) for kind, target_id, total, waiting in rows}


async def offences(session: AsyncSession, subject_ids: Collection[UUID]) -> dict[UUID, int]:
    """Actions taken against each of these people, without those that were overturned."""
    rows = await session.execute(
        select(Decision.subject_id, func.count())
        .where(Decision.subject_id.in_(subject_ids), Decision.action != "DISMISS", ~_OVERTURNED)
        .group_by(Decision.subject_id)
    )
    return {row[0]: row[1] for row in rows}


async def lock(session: AsyncSession, report_id: UUID) -> tuple[Report, bool] | None:
    """The report, locked until the end of the unit of work, and whether somebody's claim lasts."""
    statement = select(Report).where(Report.id == report_id).with_for_update()
    report = await session.scalar(statement.execution_options(populate_existing=True))
    return None if report is None else (report, await is_claimed(session, report_id))


async def is_claimed(session: AsyncSession, report_id: UUID) -> bool:
    """By the clock as it is now: whoever waited for a lock began earlier."""
    return bool(await session.scalar(select(_IS_CLAIMED).where(Report.id == report_id)))


async def lock_with_alike(session: AsyncSession, report: Report, action: Action) -> dict[UUID, Report]:
    """The report, and the open ones that `action` settles with it: locked, always in the order of their ids."""
    alike: list[ColumnElement[bool]] = [
        and_(Report.target_type == report.target_type, Report.target_id == report.target_id)
    ]
    if action == "CLOSE_CHAT":
        alike.append(Report.chat_id == report.chat_id)
    elif action == "BLOCK_USER":
        alike.append(and_(Report.target_type == "USER", Report.target_id == report.subject_id))
    both = and_(Report.subject_id == report.subject_id, Report.status == "OPEN", or_(*alike))
    wanted = Report.id == report.id
    if action in ("REMOVE_LISTING", "BLOCK_USER", "CLOSE_CHAT"):
        wanted = or_(wanted, both)
    statement = select(Report).where(wanted).order_by(Report.id).with_for_update()
    rows = await session.scalars(statement.execution_options(populate_existing=True))
    return {item.id: item for item in rows}


async def settle_alike(session: AsyncSession, decision: Decision, kind: str, target_id: UUID) -> Sequence[UUID]:
    """Settle the open reports of a target by a decision that none of them led to; returns which.

    What a colleague works on at this moment stays theirs, since whoever waited here would hold the account or
    listing; what the decider reported stays for a colleague.
    """
    wanted = (
        select(Report.id)
        .where(
            Report.target_type == kind,
            Report.target_id == target_id,
            Report.status == "OPEN",
            Report.reporter_id != decision.decided_by,
        )
        .with_for_update(skip_locked=True)
    )
    statement = (
        update(Report)
        .where(Report.id.in_(wanted))
        .values(status="RESOLVED", decision_id=decision.id, claimed_by=None, claimed_until=None)
        .returning(Report.id)
        .execution_options(synchronize_session=False)
    )
    return (await session.scalars(statement)).all()


async def claim(session: AsyncSession, report_id: UUID, moderator_id: UUID) -> None:
    """For thirty minutes from now."""
    await session.execute(
        update(Report)
        .where(Report.id == report_id)
        .values(claimed_by=moderator_id, claimed_until=_NOW + literal(CLAIM, Interval))
        .execution_options(synchronize_session=False)
    )


async def reports_of(session: AsyncSession, decision_id: UUID) -> Sequence[Report]:
    """What a decision settled, the oldest first."""
    return (await session.scalars(select(Report).where(Report.decision_id == decision_id).order_by(Report.id))).all()


async def decision(session: AsyncSession, decision_id: UUID) -> Decision | None:
    return await session.get(Decision, decision_id)


async def latest_block(session: AsyncSession, user_id: UUID) -> UUID | None:
    """A report that the latest decision to block this person settled."""
    statement = (
        select(Report.id)
        .join(Decision, Decision.id == Report.decision_id)
        .where(Decision.subject_id == user_id, Decision.action == "BLOCK_USER")
        .order_by(Decision.id.desc(), Report.id)
        .limit(1)
    )
    return await session.scalar(statement)


async def is_older(session: AsyncSession, decision_id: UUID, than: timedelta) -> bool:
    """Whether it was taken longer ago, by the database's clock."""
    old = Decision.decided_at < _NOW - literal(than, Interval)
    return bool(await session.scalar(select(old).where(Decision.id == decision_id)))


async def add_appeal(session: AsyncSession, decision_id: UUID, words: str) -> Appeal | None:
    """None when there is one already; of two at once the second waits for the first."""
    statement = (
        insert(Appeal)
        .values(id=new_id(), decision_id=decision_id, text=words)
        .on_conflict_do_nothing(index_elements=[Appeal.decision_id])
        .returning(Appeal)
    )
    return await session.scalar(statement)


async def appeal(session: AsyncSession, appeal_id: UUID) -> Appeal | None:
    return await session.get(Appeal, appeal_id)


async def lock_appeal(session: AsyncSession, appeal_id: UUID) -> Appeal | None:
    statement = select(Appeal).where(Appeal.id == appeal_id).with_for_update()
    return await session.scalar(statement.execution_options(populate_existing=True))


async def database_now(session: AsyncSession) -> datetime:
    return (await session.execute(select(_NOW))).scalar_one()


async def appeals(session: AsyncSession, status: str, place: Place) -> Found[tuple[Appeal, Decision, Report]]:
    """Oldest first, each with the first report that its decision settled."""
    first = select(Report.id).where(Report.decision_id == Decision.id).order_by(Report.id).limit(1).correlate(Decision)
    statement = (
        select(Appeal, Decision, Report)
        .join(Decision, Decision.id == Appeal.decision_id)
        .join(Report, Report.id == first.scalar_subquery())
        .where(Appeal.status == status)
    )
    found = await rows_of_page(session, statement, place, Appeal.id, newest_first=False)
    return Found([(row[0], row[1], row[2]) for row in found.rows], found.more, found.counted)
