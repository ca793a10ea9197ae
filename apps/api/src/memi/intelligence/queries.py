"""Every statement of intelligence."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Interval, delete, func, literal, select, text
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from memi.intelligence.models import IntelligenceVerdict as Verdict

# Whoever was erased meanwhile is nobody any more, and takes nothing else of the batch along.
_ADD = text(
    """
    INSERT INTO intelligence_verdicts (
        id, port, plugin, plugin_version, subject_type, subject_id, user_id, outcome, verdict, took_ms)
    SELECT r.id, r.port, r.plugin, r.plugin_version, r.subject_type, r.subject_id, u.id, r.outcome,
        nullif(r.verdict, 'null'::jsonb), r.took_ms
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
        id uuid, port text, plugin text, plugin_version text, subject_type text, subject_id uuid, user_id uuid,
        outcome text, verdict jsonb, took_ms float8)
    LEFT JOIN users u ON u.id = r.user_id AND u.erased_at IS NULL
    WHERE r.user_id IS NULL OR u.id IS NOT NULL
    """
)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict to be written."""

    id: UUID
    port: str
    plugin: str
    plugin_version: str
    subject_type: str
    subject_id: UUID
    user_id: UUID | None
    outcome: str
    verdict: Any
    took_ms: float


async def add(session: AsyncSession, rows: Sequence[Row]) -> None:
    """Write these verdicts: one statement however many."""
    await session.execute(_ADD, {"rows": msgspec.json.encode(rows).decode()})


async def latest(session: AsyncSession, port: str, subject_ids: Sequence[UUID]) -> dict[UUID, Any]:
    """The newest answer that each of these subjects got at `port`."""
    statement = (
        select(Verdict.subject_id, Verdict.verdict)
        .ext(distinct_on(Verdict.subject_id))
        .where(Verdict.subject_id.in_(subject_ids), Verdict.port == port, Verdict.verdict.is_not(None))
        .order_by(Verdict.subject_id, Verdict.id.desc())
    )
    return {row.subject_id: row.verdict for row in await session.execute(statement)}


async def of_user(session: AsyncSession, user_id: UUID, before: UUID | None, limit: int) -> Sequence[Verdict]:
    """What was said of a person and of what is theirs, newest first."""
    statement = select(Verdict).where(Verdict.user_id == user_id)
    if before is not None:
        statement = statement.where(Verdict.id < before)
    return (await session.scalars(statement.order_by(Verdict.id.desc()).limit(limit))).all()


async def erase(session: AsyncSession, user_id: UUID) -> None:
    await session.execute(
        delete(Verdict).where(Verdict.user_id == user_id).execution_options(synchronize_session=False)
    )


async def prune(session: AsyncSession, older_than: timedelta, limit: int) -> int:
    """Forget at most `limit` verdicts that are older than that; returns how many went."""
    old = select(Verdict.id).where(Verdict.at < func.now() - literal(older_than, Interval)).limit(limit)
    statement = delete(Verdict).where(Verdict.id.in_(old)).execution_options(synchronize_session=False)
    result: Any = await session.execute(statement)
    return int(result.rowcount)
