"""What moderation does with chats: close and reopen them, and read what was reported. Whoever calls has seen to why."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.chat import moderation_queries, queries
from memi.chat.guards import ParticipantChat, participant
from memi.chat.models import Chat, Message
from memi.chat.schemas import MAX_SEQ, MessagePage
from memi.chat.service import TOPIC, to_read
from memi.platform.errors import NotFound
from memi.platform.unit_of_work import poke_after_commit


async def by_id(session: AsyncSession, chat_id: UUID) -> Chat | None:
    return await queries.by_id(session, chat_id)


async def message_to(session: AsyncSession, message_id: UUID, user_id: UUID) -> tuple[Message, ParticipantChat]:
    """A message of a chat that this person is in; `NotFound` for everyone else."""
    message = await moderation_queries.message(session, message_id)
    if message is None:
        raise NotFound
    return message, await participant(session, message.chat_id, user_id)


async def close(session: AsyncSession, chat_id: UUID) -> bool:
    """Nobody can send in it any more; what was said can still be read. False when it was closed already."""
    return await _set_closed(session, chat_id, closed=True)


async def reopen(session: AsyncSession, chat_id: UUID) -> bool:
    """Take that back; False when it was not closed."""
    return await _set_closed(session, chat_id, closed=False)


async def _set_closed(session: AsyncSession, chat_id: UUID, *, closed: bool) -> bool:
    changed = await moderation_queries.set_closed(session, chat_id, closed=closed)
    if changed:
        poke_after_commit(session, TOPIC, str(chat_id))
    return changed


async def messages(session: AsyncSession, chat_id: UUID, before_seq: int | None, limit: int) -> MessagePage:
    """What was said before `before_seq`, newest first."""
    before = MAX_SEQ if before_seq is None else before_seq
    found = await queries.messages_before(session, chat_id, before, limit + 1)
    return MessagePage([to_read(item) for item in found[:limit]], len(found) > limit)
