"""Every statement about the mails that notifications lead to."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Interval, case, delete, func, literal, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from memi.chat.models import Chat, Message
from memi.notifications.models import Notification, NotificationMail
from memi.notifications.preference_schemas import Type
from memi.users.blocks_queries import is_block_between
from memi.users.models import User

_RECIPIENTS = text(
    """
    SELECT DISTINCT user_id FROM (
        SELECT user_id FROM notification_mails WHERE state = 'DUE' AND due_at <= now() ORDER BY due_at LIMIT :limit
    ) AS soonest ORDER BY user_id
    """
)

OVERDUE = """
SELECT count(*) AS waiting, coalesce(extract(epoch FROM clock_timestamp() - min(due_at)), 0)::float8 AS oldest
FROM (
    SELECT due_at FROM notification_mails WHERE state = 'DUE' AND due_at <= clock_timestamp() ORDER BY due_at LIMIT $1
) AS soonest
"""
"""How many mails are due, counted to $1, and since how many seconds the first is."""

_QUIET_UNTIL = text(
    "SELECT quiet_until(quiet_from, quiet_to, time_zone, now()) FROM notification_settings WHERE user_id = :user_id"
)


class Waiting(NamedTuple):
    """A mail to be, and what its notification says now."""

    notification_id: UUID
    kind: str
    due: bool
    type: Type
    event: str
    data: dict[str, Any]
    read: bool


@dataclass(frozen=True)
class Talk:
    """A chat as one of its two people finds it."""

    other_name: str
    apart: bool
    """A block stands between them."""
    read_seq: int


async def recipients(session: AsyncSession, limit: int) -> Sequence[UUID]:
    """Those for whom mails are due, the longest waiting first."""
    return (await session.scalars(_RECIPIENTS, {"limit": limit})).all()


async def waiting(session: AsyncSession, user_id: UUID, limit: int) -> Sequence[Waiting]:
    """What may be mailed to a person now or later, oldest first, locked; what another worker holds is left out."""
    statement = (
        select(
            NotificationMail.notification_id,
            NotificationMail.kind,
            (NotificationMail.due_at <= func.now()).label("due"),
            Notification.type,
            Notification.event,
            Notification.data,
            (Notification.in_app & Notification.read_at.is_not(None)).label("read"),
        )
        .join(Notification, Notification.id == NotificationMail.notification_id)
        .where(NotificationMail.user_id == user_id, NotificationMail.state == "DUE")
        .order_by(NotificationMail.notification_id)
        .limit(limit)
        .with_for_update(of=NotificationMail, skip_locked=True)
    )
    return [Waiting(*row) for row in await session.execute(statement)]


async def quiet_until(session: AsyncSession, user_id: UUID) -> datetime | None:
    """When the person's quiet hours end, if they are now."""
    return (await session.execute(_QUIET_UNTIL, {"user_id": user_id})).scalar_one_or_none()


async def postpone(session: AsyncSession, ids: Collection[UUID], until: datetime) -> None:
    await session.execute(
        update(NotificationMail)
        .where(NotificationMail.notification_id.in_(ids), NotificationMail.due_at < until)
        .values(due_at=until)
        .execution_options(synchronize_session=False)
    )


async def move(session: AsyncSession, ids: Collection[UUID], state: str) -> None:
    """Bring mails to another state; the time of a claim is kept."""
    values: dict[str, Any] = {"state": state}
    if state == "CLAIMED":
        values["claimed_at"] = func.now()
    await session.execute(
        update(NotificationMail)
        .where(NotificationMail.notification_id.in_(ids))
        .values(values)
        .execution_options(synchronize_session=False)
    )


async def try_later(session: AsyncSession, ids: Collection[UUID], most: int) -> None:
    """What surely did not leave is due again after a while that doubles, until it was tried `most` times."""
    again = NotificationMail.tries + 1 < most
    delay = func.make_interval(0, 0, 0, 0, 0, 0, 15.0 * func.power(2, NotificationMail.tries))
    await session.execute(
        update(NotificationMail)
        .where(NotificationMail.notification_id.in_(ids))
        .values(state=case((again, "DUE"), else_="FAILED"), due_at=func.now() + delay, tries=NotificationMail.tries + 1)
        .execution_options(synchronize_session=False)
    )


async def talks(session: AsyncSession, user_id: UUID, chat_ids: Collection[UUID]) -> dict[UUID, Talk]:
    """The person's chats by id, as things stand now."""
    if not chat_ids:
        return {}
    other = aliased(User)
    as_buyer = Chat.buyer_id == user_id
    other_id = case((as_buyer, Chat.seller_id), else_=Chat.buyer_id)
    statement = (
        select(
            Chat.id,
            other,
            is_block_between(other.id, User.id).label("apart"),
            case((as_buyer, Chat.buyer_read_seq), else_=Chat.seller_read_seq).label("read_seq"),
        )
        .join(other, other.id == other_id)
        .join(User, User.id == user_id)
        .where(Chat.id.in_(chat_ids), or_(as_buyer, Chat.seller_id == user_id))
    )
    rows = await session.execute(statement)
    return {row[0]: Talk(row[1].shown_name, row.apart, row.read_seq) for row in rows}


async def numbers(session: AsyncSession, message_ids: Collection[UUID]) -> dict[UUID, int]:
    """The number of each message in its chat."""
    if not message_ids:
        return {}
    rows = await session.execute(select(Message.id, Message.seq).where(Message.id.in_(message_ids)))
    return {row.id: row.seq for row in rows}


async def prune(session: AsyncSession, older_than: timedelta, limit: int) -> int:
    """Forget at most `limit` mails of older notifications that are not to be sent any more; how many went."""
    old = (
        select(NotificationMail.notification_id)
        .join(Notification, Notification.id == NotificationMail.notification_id)
        .where(
            Notification.created_at < func.now() - literal(older_than, Interval),
            NotificationMail.state != "DUE",
        )
        .limit(limit)
    )
    statement = delete(NotificationMail).where(NotificationMail.notification_id.in_(old))
    result: Any = await session.execute(statement.execution_options(synchronize_session=False))
    return int(result.rowcount)
