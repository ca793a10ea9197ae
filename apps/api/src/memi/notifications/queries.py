"""Every statement of the notifications feature."""

from collections.abc import Mapping, Sequence
from datetime import time, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Boolean, Interval, bindparam, delete, exists, func, literal, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from memi.notifications.models import Notification

RECENT = """
SELECT n.id, n.user_id, n.type, n.event, n.data, n.read_at, n.created_at
FROM unnest($1::uuid[]) AS person (id)
CROSS JOIN LATERAL (
    SELECT * FROM notifications WHERE user_id = person.id AND id >= $2 AND push ORDER BY id DESC LIMIT 200
) AS n
ORDER BY n.id
"""
"""What these people were told since an id, oldest first: one short index walk each."""


_TELL = text(
    """
    WITH person AS (
        SELECT t.id, t.user_id,
            coalesce(bool_or(p.enabled) FILTER (WHERE p.channel = 'in_app'), :in_app) AS in_app,
            coalesce(bool_or(p.enabled) FILTER (WHERE p.channel = 'push'), :push) AS push,
            coalesce(bool_or(p.enabled) FILTER (WHERE p.channel = 'email'), :email) AS email
        FROM unnest(CAST(:ids AS uuid[]), CAST(:people AS uuid[])) AS t (id, user_id)
        LEFT JOIN notification_preferences p ON p.user_id = t.user_id AND p.type = :type
        GROUP BY t.id, t.user_id
    ), wanted AS (
        SELECT person.id, person.user_id, person.in_app,
            person.push AND quiet_until(s.quiet_from, s.quiet_to, s.time_zone, now()) IS NULL AS push,
            coalesce(s.time_zone, :home_zone) AS time_zone,
            CASE
                WHEN u.email_verified_at IS NULL OR u.email_refused_at IS NOT NULL THEN NULL
                WHEN CAST(:type AS text) = 'LISTING' AND s.digest = 'daily' THEN 'digest'
                WHEN person.email AND CAST(:type AS text) = 'MESSAGE' THEN 'messages'
                WHEN person.email THEN 'single'
            END AS mail
        FROM person JOIN users u ON u.id = person.user_id
        LEFT JOIN notification_settings s ON s.user_id = person.user_id
    ), told AS (
        INSERT INTO notifications (id, user_id, type, event, data, dedupe_key, in_app, push)
        SELECT id, user_id, :type, :event, CAST(:data AS jsonb), :dedupe_key, in_app, push FROM wanted
        WHERE in_app OR push OR mail IS NOT NULL ORDER BY user_id
        ON CONFLICT (user_id, dedupe_key) DO NOTHING
        RETURNING id, user_id, push
    ), mailed AS (
        INSERT INTO notification_mails (notification_id, user_id, kind, due_at)
        SELECT told.id, told.user_id, wanted.mail, CASE wanted.mail
            WHEN 'digest' THEN next_time_of_day(:digest_at, wanted.time_zone, now())
            ELSE now() + make_interval(secs => :wait) END
        FROM told JOIN wanted USING (id) WHERE wanted.mail IS NOT NULL
    )
    SELECT user_id, push FROM told ORDER BY user_id
    """
).bindparams(bindparam("in_app", type_=Boolean), bindparam("push", type_=Boolean), bindparam("email", type_=Boolean))


async def tell(
    session: AsyncSession,
    people: Mapping[UUID, UUID],
    news: Mapping[str, Any],
    defaults: Mapping[str, bool],
    *,
    home_zone: str,
    digest_at: time,
    wait: float,
) -> list[tuple[UUID, bool]]:
    """Write down what is not there yet, each person's way, and the mails that it leads to, in one statement.

    `people` by the id their notification gets; returns (person, whether to push) for whom it was new.
    """
    rows = await session.execute(
        _TELL,
        {
            **news,
            **defaults,
            "data": msgspec.json.encode(news["data"]).decode(),
            "ids": list(people),
            "people": list(people.values()),
            "home_zone": home_zone,
            "digest_at": digest_at,
            "wait": wait,
        },
    )
    return [(row.user_id, row.push) for row in rows]


async def page(
    session: AsyncSession, user_id: UUID, *, unread: bool, before: UUID | None, limit: int, everything: bool = False
) -> Sequence[Notification]:
    """Newest first, below `before`; with `everything` also what was told by other ways alone."""
    statement = select(Notification).where(Notification.user_id == user_id)
    if not everything:
        statement = statement.where(Notification.in_app)
    if unread:
        statement = statement.where(Notification.read_at.is_(None))
    if before is not None:
        statement = statement.where(Notification.id < before)
    return (await session.scalars(statement.order_by(Notification.id.desc()).limit(limit))).all()


async def count_unread(session: AsyncSession, user_id: UUID, bound: int) -> int:
    """Unread ones, counted to at most `bound`."""
    bounded = (
        select(literal(1))
        .where(Notification.user_id == user_id, Notification.read_at.is_(None), Notification.in_app)
        .limit(bound)
        .subquery()
    )
    return (await session.execute(select(func.count()).select_from(bounded))).scalar_one()


async def exists_for(session: AsyncSession, user_id: UUID, notification_id: UUID) -> bool:
    statement = select(
        exists().where(Notification.id == notification_id, Notification.user_id == user_id, Notification.in_app)
    )
    return bool((await session.execute(statement)).scalar_one())


async def mark_read(session: AsyncSession, user_id: UUID, notification_id: UUID | None) -> None:
    """Mark one as read, or all; what is read already keeps its time."""
    statement = (
        update(Notification)
        .where(Notification.user_id == user_id, Notification.read_at.is_(None), Notification.in_app)
        .values(read_at=func.now())
        .execution_options(synchronize_session=False)
    )
    if notification_id is not None:
        statement = statement.where(Notification.id == notification_id)
    await session.execute(statement)


async def prune(session: AsyncSession, older_than: timedelta, limit: int) -> int:
    """Forget at most `limit` notifications: read ones older than that, others older than twice that; how many went."""
    read = or_(Notification.read_at.is_not(None), ~Notification.in_app)
    very_old = Notification.created_at < func.now() - literal(2 * older_than, Interval)
    old = (
        select(Notification.id)
        .where(Notification.created_at < func.now() - literal(older_than, Interval), or_(read, very_old))
        .order_by(Notification.created_at)
        .limit(limit)
    )
    statement = delete(Notification).where(Notification.id.in_(old)).execution_options(synchronize_session=False)
    result: Any = await session.execute(statement)
    return int(result.rowcount)
