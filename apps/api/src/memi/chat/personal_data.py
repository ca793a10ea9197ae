"""What is kept of people here: their conversations, which belong to two."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.chat import personal_queries as queries
from memi.chat.models import Chat
from memi.listings import service as listings
from memi.platform.personal_data import Batch, Kind, PersonalData
from memi.users import service as users

_CHATS = 20
_MESSAGES = 1000
_WHY = "the other side's conversation too: it stays, as with a deleted user"
_WORDS = _WHY + "; its words go when an administrator has them erased, which leaves who wrote when"


async def partners(session: AsyncSession, user_id: UUID, after: UUID | None, limit: int) -> Sequence[tuple[UUID, UUID]]:
    """(chat, the other one in it) of each chat of a person, by the chat's id, following `after`."""
    found = await queries.chats_of(session, user_id, after, limit)
    return [(chat.id, _other(chat, user_id)) for chat in found]


async def _chats(session: AsyncSession, user_id: UUID, after: UUID | None) -> Batch:
    rows = await queries.chats_of(session, user_id, after, _MESSAGES)
    stubs = await listings.stubs(session, [chat.listing_id for chat in rows])
    people = await users.get_many(session, [_other(chat, user_id) for chat in rows])
    records = [
        {
            "id": chat.id,
            "listing_id": chat.listing_id,
            "listing_title": stubs[chat.listing_id].title,
            "you_are": "buyer" if chat.buyer_id == user_id else "seller",
            "with": people[_other(chat, user_id)].shown_name,
            "messages": chat.last_seq,
            "read_up_to": chat.buyer_read_seq if chat.buyer_id == user_id else chat.seller_read_seq,
            "archived_at": chat.buyer_archived_at if chat.buyer_id == user_id else chat.seller_archived_at,
            "blocked_at": chat.buyer_blocked_at if chat.buyer_id == user_id else chat.seller_blocked_at,
            "created_at": chat.created_at,
        }
        for chat in rows
    ]
    return Batch(records, rows[-1].id if len(rows) == _MESSAGES else None)


async def _messages(session: AsyncSession, user_id: UUID, after: tuple[UUID, int] | None) -> Batch:
    chat_id, seq = after or (None, 0)
    chats = await queries.chats_of(session, user_id, chat_id, _CHATS, inclusive=True)
    if not chats:
        return Batch([])
    people = await users.get_many(session, [_other(chat, user_id) for chat in chats])
    names = {chat.id: people[_other(chat, user_id)].shown_name for chat in chats}
    rows = await queries.messages_of(session, [chat.id for chat in chats], chat_id, seq, _MESSAGES)
    records = [
        {
            "chat_id": row.chat_id,
            "seq": row.seq,
            "from": None if row.sender_id is None else "you" if row.sender_id == user_id else names[row.chat_id],
            "kind": row.kind,
            "body": row.body,
            "created_at": row.created_at,
            "words_erased_at": row.words_erased_at,
        }
        for row in rows
    ]
    if len(rows) == _MESSAGES:
        return Batch(records, (rows[-1].chat_id, rows[-1].seq))
    if len(chats) < _CHATS:
        return Batch(records)
    last = chats[-1]
    # A message may have come after its chat was read.
    seen = rows[-1].seq if rows and rows[-1].chat_id == last.id else last.last_seq
    return Batch(records, (last.id, seen))


def _other(chat: Chat, user_id: UUID) -> UUID:
    return chat.seller_id if chat.buyer_id == user_id else chat.buyer_id


PERSONAL_DATA = PersonalData(
    feature="chat",
    kinds=(
        Kind("chats", "Your chats: about which item, with whom by name.", _chats),
        Kind("messages", "Every message of your chats, yours and those you got.", _messages),
    ),
    kept={"chats.buyer_id": _WHY, "chats.seller_id": _WHY, "messages.sender_id": _WORDS},
)
