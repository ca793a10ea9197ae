"""Every statement of the chat feature over HTTP."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, func, or_, select, text, union_all, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from memi.chat.models import Chat, Message
from memi.platform.ids import new_id

SEND = "SELECT *, NULL::timestamptz FROM chat_send($1, $2, $3, $4, $5, $6, $7, $8)"
"""The whole of sending, in one round trip and its own transaction; see docs/decisions/0024.

What is sent, or was under the same `client_id`, has its words: they are erased together with the `client_id`.
"""

_SEND_IN_UNIT = text(
    "SELECT *, CAST(NULL AS timestamptz) AS words_erased_at FROM chat_send(CAST(:chat AS uuid), "
    "CAST(:sender AS uuid), CAST(:message AS uuid), CAST(:body AS text), CAST(:client_id AS text), "
    "CAST(:verified_only AS boolean), '{}', '{}')"
)

# An answer moves its chat, so chats that moved lately are all there is to look at.
_REPLY_MINUTES = text(
    """
    SELECT s.seller_id, CAST(percentile_disc(0.5) WITHIN GROUP (ORDER BY r.minutes) AS int) AS minutes
    FROM (
        SELECT DISTINCT seller_id FROM chats
        WHERE last_message_at > now() - CAST(:since AS interval)
            AND seller_replied_at > now() - CAST(:since AS interval)
    ) AS s
    CROSS JOIN LATERAL (
        SELECT ceil(extract(epoch FROM c.seller_replied_at - c.created_at) / 60) AS minutes FROM chats c
        WHERE c.seller_id = s.seller_id AND c.seller_replied_at IS NOT NULL
        ORDER BY c.last_message_at DESC, c.id DESC LIMIT :latest
    ) AS r
    GROUP BY s.seller_id HAVING count(*) >= :at_least
    """
)

MESSAGE_COLUMNS = "id, chat_id, seq, sender_id, kind, body, client_id, created_at"


async def send(
    session: AsyncSession,
    chat_id: UUID,
    sender_id: UUID | None,
    body: str,
    *,
    client_id: str | None = None,
    verified_only: bool = False,
) -> Row[Any]:
    """Send as part of this unit of work; the row that `chat_send` returns."""
    result = await session.execute(
        _SEND_IN_UNIT,
        {
            "chat": chat_id,
            "sender": sender_id,
            "message": new_id(),
            "body": body,
            "client_id": client_id,
            "verified_only": verified_only,
        },
    )
    return result.one()


async def by_id(session: AsyncSession, chat_id: UUID) -> Chat | None:
    return await session.scalar(select(Chat).where(Chat.id == chat_id).execution_options(populate_existing=True))


async def id_of(session: AsyncSession, listing_id: UUID, buyer_id: UUID) -> UUID | None:
    return await session.scalar(select(Chat.id).where(Chat.listing_id == listing_id, Chat.buyer_id == buyer_id))


async def lock_of(session: AsyncSession, listing_id: UUID, buyer_id: UUID) -> Chat | None:
    """The chat of a buyer about a listing, locked until the end of the unit of work."""
    return await session.scalar(
        select(Chat)
        .where(Chat.listing_id == listing_id, Chat.buyer_id == buyer_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )


async def hold_between(session: AsyncSession, one: UUID, other: UUID) -> None:
    """Wait for the messages that these two are sending each other, and have others wait until the end of the unit."""
    sides = or_(
        and_(Chat.buyer_id == one, Chat.seller_id == other), and_(Chat.buyer_id == other, Chat.seller_id == one)
    )
    await session.execute(select(Chat.id).where(sides).order_by(Chat.id).with_for_update(key_share=True))


async def reply_minutes(session: AsyncSession, since: timedelta, latest: int, at_least: int) -> dict[UUID, int]:
    """By seller who first answered in a chat within `since`: the median wait of their `latest` answered chats.

    Sellers with fewer than `at_least` of those are left out.
    """
    rows = await session.execute(_REPLY_MINUTES, {"since": since, "latest": latest, "at_least": at_least})
    return {row.seller_id: row.minutes for row in rows}


async def add(session: AsyncSession, listing_id: UUID, buyer_id: UUID, seller_id: UUID) -> None:
    """Make the one chat of a listing and a buyer, unless there is one."""
    await session.execute(
        insert(Chat)
        .values(id=new_id(), listing_id=listing_id, buyer_id=buyer_id, seller_id=seller_id)
        .on_conflict_do_nothing(index_elements=[Chat.listing_id, Chat.buyer_id])
    )


async def inbox(
    session: AsyncSession, user_id: UUID, *, archived: bool, before: tuple[datetime, UUID] | None, limit: int
) -> Sequence[tuple[Chat, Message | None]]:
    """A person's chats with the last message of each, the latest first."""
    sides = ((Chat.buyer_id, Chat.buyer_archived_at), (Chat.seller_id, Chat.seller_archived_at))
    halves: list[Any] = []
    for person, archived_at in sides:
        half = select(Chat.id).where(person == user_id, archived_at.is_not(None) if archived else archived_at.is_(None))
        if before is not None:
            half = half.where(func.row(Chat.last_message_at, Chat.id) < func.row(*before))
        # Each half walks its own index and stops; together they are the page.
        halves.append(half.order_by(Chat.last_message_at.desc(), Chat.id.desc()).limit(limit).subquery())
    ids = union_all(*(select(half.c.id) for half in halves)).subquery()
    rows = await session.execute(
        select(Chat, Message)
        .outerjoin(Message, (Message.chat_id == Chat.id) & (Message.seq == Chat.last_seq))
        .where(Chat.id.in_(select(ids.c.id)))
        .order_by(Chat.last_message_at.desc(), Chat.id.desc())
        .limit(limit)
    )
    return [(row[0], row[1]) for row in rows]


async def with_last_message(session: AsyncSession, chat_id: UUID) -> tuple[Chat, Message | None] | None:
    rows = await session.execute(
        select(Chat, Message)
        .outerjoin(Message, (Message.chat_id == Chat.id) & (Message.seq == Chat.last_seq))
        .where(Chat.id == chat_id)
        .execution_options(populate_existing=True)
    )
    found = rows.first()
    return None if found is None else (found[0], found[1])


async def messages_after(session: AsyncSession, chat_id: UUID, seq: int, limit: int) -> Sequence[Message]:
    """Oldest first."""
    statement = select(Message).where(Message.chat_id == chat_id, Message.seq > seq).order_by(Message.seq).limit(limit)
    return (await session.scalars(statement)).all()


async def messages_before(session: AsyncSession, chat_id: UUID, seq: int, limit: int) -> Sequence[Message]:
    """Newest first."""
    statement = (
        select(Message).where(Message.chat_id == chat_id, Message.seq < seq).order_by(Message.seq.desc()).limit(limit)
    )
    return (await session.scalars(statement)).all()


async def advance_read(session: AsyncSession, chat: Chat, *, as_buyer: bool, seq: int) -> bool:
    """Move one side's reading mark forward, never back; whether it moved."""
    mark = Chat.buyer_read_seq if as_buyer else Chat.seller_read_seq
    moved = await session.execute(
        update(Chat)
        .where(Chat.id == chat.id, mark < seq, Chat.last_seq >= seq)
        .values({mark: seq})
        .returning(Chat.id)
        .execution_options(synchronize_session=False)
    )
    return moved.first() is not None


async def set_archived(session: AsyncSession, chat_id: UUID, *, as_buyer: bool, archived: bool) -> None:
    column = Chat.buyer_archived_at if as_buyer else Chat.seller_archived_at
    await _mark(session, chat_id, column, on=archived)


async def set_blocked(session: AsyncSession, chat_id: UUID, *, as_buyer: bool, blocked: bool) -> None:
    column = Chat.buyer_blocked_at if as_buyer else Chat.seller_blocked_at
    await _mark(session, chat_id, column, on=blocked)


async def _mark(session: AsyncSession, chat_id: UUID, column: Any, *, on: bool) -> None:
    value = func.coalesce(column, func.clock_timestamp()) if on else None
    await session.execute(
        update(Chat).where(Chat.id == chat_id).values({column: value}).execution_options(synchronize_session=False)
    )


async def people_of_listings(
    session: AsyncSession, listing_ids: Sequence[UUID], among: Collection[UUID]
) -> dict[UUID, set[UUID]]:
    """Who of `among` has a chat about each of these listings, on either side."""
    found: dict[UUID, set[UUID]] = {}
    for person in (Chat.buyer_id, Chat.seller_id):
        rows = await session.execute(
            select(Chat.listing_id, person).where(Chat.listing_id.in_(listing_ids), person.in_(among)).distinct()
        )
        for listing_id, user_id in rows:
            found.setdefault(listing_id, set()).add(user_id)
    return found
