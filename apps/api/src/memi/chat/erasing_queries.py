"""Statements of erasing what somebody said. The database decides by itself what may go."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession


class Place(NamedTuple):
    """How far the walk over a person's chats has come: when that chat was last written to, the chat, and a number."""

    at: datetime
    chat_id: UUID
    seq: int


_ERASE = text(
    "SELECT * FROM chat_erase_words(CAST(:request AS uuid), CAST(:entry AS uuid), CAST(:most AS integer), "
    "CAST(:at AS timestamptz), CAST(:chat AS uuid), CAST(:seq AS bigint))"
)
_LEFT = text(
    """
    SELECT EXISTS (
        SELECT FROM messages m WHERE m.sender_id = CAST(:user AS uuid) AND m.words_erased_at IS NULL
    ) AS words_left, ARRAY(
        SELECT DISTINCT l.because
        FROM chats_looked_at(
            ARRAY(
                SELECT b.id FROM chats b WHERE b.buyer_id = CAST(:user AS uuid)
                UNION ALL SELECT s.id FROM chats s WHERE s.seller_id = CAST(:user AS uuid)
            ),
            CAST(:user AS uuid)
        ) AS l
        WHERE EXISTS (
            SELECT FROM messages m
            WHERE m.chat_id = l.chat_id AND m.sender_id = CAST(:user AS uuid) AND m.words_erased_at IS NULL
        )
        ORDER BY 1
    ) AS held_back_by
    """
)


async def erase(session: AsyncSession, request_id: UUID, entry_id: UUID, most: int, after: Place | None) -> Row[Any]:
    """What `chat_erase_words` says of a batch, column by column."""
    at, chat, seq = after or (None, None, None)
    given = {"request": request_id, "entry": entry_id, "most": most, "at": at, "chat": chat, "seq": seq}
    return (await session.execute(_ERASE, given)).one()


async def left(session: AsyncSession, user_id: UUID) -> tuple[bool, list[Any]]:
    """Whether a person's messages still have words, and what holds some of them back."""
    row = (await session.execute(_LEFT, {"user": user_id})).one()
    return row.words_left, row.held_back_by
