"""Statements of moderating chats."""

from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from memi.chat.models import Chat, Message


async def message(session: AsyncSession, message_id: UUID) -> Message | None:
    return await session.scalar(select(Message).where(Message.id == message_id))


async def set_closed(session: AsyncSession, chat_id: UUID, *, closed: bool) -> bool:
    """Whether that changed anything. Waits for messages on their way, which lock the chat too."""
    value = func.clock_timestamp() if closed else None
    was = Chat.closed_at.is_(None) if closed else Chat.closed_at.is_not(None)
    changed = await session.execute(
        update(Chat)
        .where(Chat.id == chat_id, was)
        .values(closed_at=value)
        .returning(Chat.id)
        .execution_options(synchronize_session=False)
    )
    return changed.first() is not None
