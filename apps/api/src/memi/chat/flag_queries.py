"""Statements of flags on messages."""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Interval, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from memi.chat.models import Chat, Message, MessageFlag
from memi.platform.ids import new_id


class Flagged(NamedTuple):
    flag: MessageFlag
    message: Message
    chat: Chat


async def add(session: AsyncSession, message_id: UUID, kind: str, source: str, note: str | None) -> bool:
    """False when it has been flagged so before, whatever became of that."""
    statement = (
        insert(MessageFlag)
        .values(id=new_id(), message_id=message_id, kind=kind, source=source, note=note)
        .on_conflict_do_nothing(index_elements=[MessageFlag.message_id, MessageFlag.kind, MessageFlag.source])
        .returning(MessageFlag.id)
    )
    return (await session.execute(statement)).first() is not None


_FLAGGED = (
    select(MessageFlag, Message, Chat)
    .join(Message, Message.id == MessageFlag.message_id)
    .join(Chat, Chat.id == Message.chat_id)
    .execution_options(populate_existing=True)
)


async def find(
    session: AsyncSession, *, is_open: bool, kind: str | None, after: UUID | None, limit: int
) -> Sequence[Flagged]:
    """The oldest first, following the id `after`."""
    resolved = MessageFlag.resolved_at
    statement = _FLAGGED.where(resolved.is_(None) if is_open else resolved.is_not(None))
    if kind is not None:
        statement = statement.where(MessageFlag.kind == kind)
    if after is not None:
        statement = statement.where(MessageFlag.id > after)
    rows = await session.execute(statement.order_by(MessageFlag.id).limit(limit))
    return [Flagged(row[0], row[1], row[2]) for row in rows]


async def by_id(session: AsyncSession, flag_id: UUID) -> Flagged | None:
    row = (await session.execute(_FLAGGED.where(MessageFlag.id == flag_id))).first()
    return None if row is None else Flagged(row[0], row[1], row[2])


async def resolve(session: AsyncSession, flag_id: UUID) -> bool:
    """False when somebody else was first."""
    statement = (
        update(MessageFlag)
        .where(MessageFlag.id == flag_id, MessageFlag.resolved_at.is_(None))
        .values(resolved_at=func.clock_timestamp())
        .returning(MessageFlag.id)
        .execution_options(synchronize_session=False)
    )
    return (await session.execute(statement)).first() is not None


async def forget_notes(session: AsyncSession, age: timedelta, limit: int) -> int:
    """Take away what was noted on flags that were resolved longer than `age` ago; how many there were."""
    due = (
        select(MessageFlag.id)
        .where(MessageFlag.note.is_not(None), MessageFlag.resolved_at < func.now() - literal(age, Interval))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    statement = update(MessageFlag).where(MessageFlag.id.in_(due)).values(note=None).returning(MessageFlag.id)
    return len((await session.scalars(statement.execution_options(synchronize_session=False))).all())
