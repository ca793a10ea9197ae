"""Statements of erasing what somebody said. The database decides by itself what may go."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

_ERASE = text("SELECT * FROM chat_erase_words(CAST(:request AS uuid), CAST(:entry AS uuid), CAST(:most AS integer))")
_LEFT = text(
    """
    WITH looked_at AS (SELECT chats_looked_at(CAST(:user AS uuid)) AS chat_id)
    SELECT EXISTS (
        SELECT FROM messages m WHERE m.sender_id = CAST(:user AS uuid) AND m.words_erased_at IS NULL
    ) AS words_left, EXISTS (
        SELECT FROM messages m JOIN looked_at USING (chat_id)
        WHERE m.sender_id = CAST(:user AS uuid) AND m.words_erased_at IS NULL
    ) AS held_back
    """
)


async def erase(session: AsyncSession, request_id: UUID, entry_id: UUID, most: int) -> Row[Any]:
    """What `chat_erase_words` did: messages, more, held_back, pictures, pictures_of."""
    return (await session.execute(_ERASE, {"request": request_id, "entry": entry_id, "most": most})).one()


async def left(session: AsyncSession, user_id: UUID) -> tuple[bool, bool]:
    """Whether a person's messages still have words, and some of them because moderators may have to read them."""
    row = (await session.execute(_LEFT, {"user": user_id})).one()
    return row.words_left, row.held_back
