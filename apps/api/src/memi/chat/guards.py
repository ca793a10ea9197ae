"""Typed guards: a route that asks for a `ParticipantChat` cannot be called by anyone but its two people."""

from dataclasses import dataclass
from uuid import UUID

from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from memi.chat import queries
from memi.chat.models import Chat
from memi.platform.dependencies import Caller, Session
from memi.platform.errors import NotFound


@dataclass(frozen=True)
class ParticipantChat:
    """A chat and the one of its two people who asks."""

    chat: Chat
    user_id: UUID

    @property
    def as_buyer(self) -> bool:
        return self.user_id == self.chat.buyer_id

    @property
    def other_id(self) -> UUID:
        return self.chat.seller_id if self.as_buyer else self.chat.buyer_id


async def participant(session: AsyncSession, chat_id: UUID, user_id: UUID) -> ParticipantChat:
    """The chat if this person is in it; `NotFound` for everyone else."""
    chat = await queries.by_id(session, chat_id)
    if chat is None or user_id not in (chat.buyer_id, chat.seller_id):
        raise NotFound
    return ParticipantChat(chat, user_id)


async def participant_chat(chat_id: FromPath[UUID], caller: Caller, session: Session) -> ParticipantChat:
    """404 for strangers, the same as for a chat that does not exist."""
    return await participant(session, chat_id, caller.user_id)
