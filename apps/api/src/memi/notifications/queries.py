"""Every statement of the notifications feature."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import exists, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from memi.notifications.models import Notification

RECENT = """
SELECT n.id, n.user_id, n.type, n.event, n.data, n.read_at, n.created_at
FROM unnest($1::uuid[]) AS person (id)
CROSS JOIN LATERAL (
    SELECT * FROM notifications WHERE user_id = person.id AND id >= $2 ORDER BY id DESC LIMIT 200
) AS n
ORDER BY n.id
"""
"""What these people were told since an id, oldest first: one short index walk each."""


async def add(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> list[UUID]:
    """Insert what is not there yet; returns the people for whom it was new. `rows` come ordered by person."""
    statement = insert(Notification).on_conflict_do_nothing(
        index_elements=[Notification.user_id, Notification.dedupe_key]
    )
    return list((await session.scalars(statement.returning(Notification.user_id), list(rows))).all())


async def page(
    session: AsyncSession, user_id: UUID, *, unread: bool, before: UUID | None, limit: int
) -> Sequence[Notification]:
    """Newest first, below `before`."""
    statement = select(Notification).where(Notification.user_id == user_id)
    if unread:
        statement = statement.where(Notification.read_at.is_(None))
    if before is not None:
        statement = statement.where(Notification.id < before)
    return (await session.scalars(statement.order_by(Notification.id.desc()).limit(limit))).all()


async def count_unread(session: AsyncSession, user_id: UUID, bound: int) -> int:
    """Unread ones, counted to at most `bound`."""
    bounded = (
        select(literal(1))
        .where(Notification.user_id == user_id, Notification.read_at.is_(None))
        .limit(bound)
        .subquery()
    )
    return (await session.execute(select(func.count()).select_from(bounded))).scalar_one()


async def exists_for(session: AsyncSession, user_id: UUID, notification_id: UUID) -> bool:
    statement = select(exists().where(Notification.id == notification_id, Notification.user_id == user_id))
    return bool((await session.execute(statement)).scalar_one())


async def mark_read(session: AsyncSession, user_id: UUID, notification_id: UUID | None) -> None:
    """Mark one as read, or all; what is read already keeps its time."""
    statement = (
        update(Notification)
        .where(Notification.user_id == user_id, Notification.read_at.is_(None))
        .values(read_at=func.now())
        .execution_options(synchronize_session=False)
    )
    if notification_id is not None:
        statement = statement.where(Notification.id == notification_id)
    await session.execute(statement)
