"""Statements of giving people their chats."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from memi.chat.models import Chat

# A few chats at a time, each read along its own index: what is sorted stays small however much there is.
_MESSAGES = text(
    """
    SELECT m.chat_id, m.seq, m.sender_id, m.kind, m.body, m.created_at, m.words_erased_at
    FROM (
        SELECT id FROM chats WHERE id = ANY(CAST(:chats AS uuid[]))
    ) AS c CROSS JOIN LATERAL (
        SELECT * FROM messages n
        WHERE n.chat_id = c.id AND n.seq > CASE WHEN c.id = CAST(:chat AS uuid) THEN CAST(:seq AS bigint) ELSE 0 END
        ORDER BY n.seq LIMIT :limit
    ) AS m ORDER BY m.chat_id, m.seq LIMIT :limit
    """
)


async def chats_of(
    session: AsyncSession, user_id: UUID, after: UUID | None, limit: int, *, inclusive: bool = False
) -> Sequence[Chat]:
    """A person's chats in the order of their ids, following `after`."""
    statement = select(Chat).where(or_(Chat.buyer_id == user_id, Chat.seller_id == user_id))
    if after is not None:
        statement = statement.where(Chat.id >= after if inclusive else Chat.id > after)
    return (await session.scalars(statement.order_by(Chat.id).limit(limit))).all()


async def messages_of(
    session: AsyncSession, chat_ids: Sequence[UUID], chat_id: UUID | None, seq: int, limit: int
) -> Sequence[Row[Any]]:
    """Messages of these chats in order; of `chat_id` only those after `seq`."""
    found = await session.execute(_MESSAGES, {"chats": list(chat_ids), "chat": chat_id, "seq": seq, "limit": limit})
    return found.all()
