"""Telling people what concerns them, and what they do with it."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from memi.notifications import preferences, queries
from memi.notifications.models import Notification
from memi.notifications.preference_schemas import Type as Type
from memi.notifications.schemas import NotificationRead, UnreadCount
from memi.platform import metrics
from memi.platform.cursors import CursorSigner, Page
from memi.platform.errors import NotFound
from memi.platform.ids import new_id
from memi.platform.settings import Settings
from memi.platform.unit_of_work import adapters_of, poke_after_commit

TOPIC = "notifications"
COUNTED_TO = 100


async def notify(  # noqa: PLR0917  # who, what kind, what, with what: the order in which one says it
    session: AsyncSession, user_id: UUID, type: Type, event: str, data: dict[str, Any], dedupe_key: str
) -> bool:
    """Tell one person one thing. A second call with the same `dedupe_key` changes nothing; returns whether it was new.

    `event` is a stable name like "reservation.accepted"; `data` is what a front end needs to word and link it.
    """
    return bool(await notify_many(session, [user_id], type, event, data=data, dedupe_key=dedupe_key))


async def notify_many(
    session: AsyncSession, user_ids: Collection[UUID], type: Type, event: str, *, data: dict[str, Any], dedupe_key: str
) -> list[UUID]:
    """Tell several people the same, each as they prefer; returns those for whom it was new.

    However many they are it is one statement. Keep batches to a few hundred.
    """
    if not user_ids:
        return []
    # Messages wait a while to be read; whoever writes without a process's adapters tells of none.
    wait = adapters_of(session).get(Settings).message_mail_minutes * 60 if type == "MESSAGE" else 0.0
    told = await queries.tell(
        session,
        {new_id(): user_id for user_id in sorted(set(user_ids))},
        {"type": type, "event": event, "data": data, "dedupe_key": dedupe_key},
        msgspec.structs.asdict(preferences.DEFAULTS[type]),
        home_zone=preferences.HOME_ZONE,
        digest_at=preferences.DIGEST_AT,
        wait=wait,
    )
    metrics.NOTIFICATIONS.labels(type).inc(len(told))
    for user_id, push in told:
        if push:
            poke_after_commit(session, TOPIC, str(user_id))
    return [user_id for user_id, _ in told]


def to_read(row: Notification) -> NotificationRead:
    return NotificationRead(
        id=row.id, type=row.type, event=row.event, data=row.data, read_at=row.read_at, created_at=row.created_at
    )


async def inbox(
    session: AsyncSession, cursors: CursorSigner, user_id: UUID, *, unread: bool, cursor: str | None, limit: int
) -> Page[NotificationRead]:
    """A person's notifications, newest first; raises `InvalidCursor`."""
    scope = f"notifications:{user_id}:{unread}"
    before: Any = cursors.decode(scope, cursor, (UUID,))[0] if cursor else None
    rows = await queries.page(session, user_id, unread=unread, before=before, limit=limit + 1)
    items = rows[:limit]
    following = cursors.encode(scope, items[-1].id) if len(rows) > limit else None
    return Page([to_read(row) for row in items], following)


async def unread_count(session: AsyncSession, user_id: UUID) -> UnreadCount:
    """Counted to at most 100, because a badge says no more and counting on costs as much as there is."""
    counted = await queries.count_unread(session, user_id, COUNTED_TO + 1)
    return UnreadCount(min(counted, COUNTED_TO), counted > COUNTED_TO)


async def mark_read(session: AsyncSession, user_id: UUID, notification_id: UUID) -> None:
    """Marking again changes nothing; raises `NotFound` for what is another's."""
    if not await queries.exists_for(session, user_id, notification_id):
        raise NotFound
    await queries.mark_read(session, user_id, notification_id)


async def mark_all_read(session: AsyncSession, user_id: UUID) -> None:
    await queries.mark_read(session, user_id, None)
