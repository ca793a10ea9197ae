"""Rules of chats: who starts one, who may go on, what is read, and what each side sees."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.chat import queries
from memi.chat.errors import ChatBlocked, ChatClosed, ListingUnavailable, SellerCannotStart
from memi.chat.events import ChatOpened, MessageSent, MessageSuspected
from memi.chat.guards import ParticipantChat
from memi.chat.models import Chat, Message
from memi.chat.schemas import (
    MAX_SEQ,
    ChatPerson,
    ChatRead,
    ChatStarted,
    FirstMessage,
    InboxChat,
    MessagePage,
    MessageRead,
    MessagesQuery,
)
from memi.chat.suspicion import suspicions
from memi.listings import service as listings
from memi.listings.lifecycle import BROWSABLE
from memi.listings.models import Listing
from memi.platform.cursors import CursorSigner, Page
from memi.platform.errors import AppError, InvalidToken, NotFound, ValidationFailed
from memi.platform.events import publish
from memi.platform.ids import new_id
from memi.platform.pubsub import JOBS_TOPIC
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from memi.platform.unit_of_work import adapters_of, poke_after_commit
from memi.users import service as users
from memi.users.errors import NotVerified

TOPIC = "chat"
"""Poked with a chat's id after anything in it changed."""

_REFUSALS: dict[str, type[AppError]] = {
    "not_found": NotFound,
    "invalid_token": InvalidToken,
    "chat_blocked": ChatBlocked,
    "chat_closed": ChatClosed,
    "email_not_verified": NotVerified,
}


async def open_chat(session: AsyncSession, listing: Listing, buyer_id: UUID) -> Chat:
    """The one chat of this listing and buyer, made if need be, locked.

    The listing is locked by the caller, who asked `users.service.blocked_between` before.
    """
    chat = await queries.lock_of(session, listing.id, buyer_id)
    if chat is None:
        await queries.add(session, listing.id, buyer_id, listing.seller_id)
        chat = await queries.lock_of(session, listing.id, buyer_id)
        assert chat is not None
        publish(session, ChatOpened(chat.id, listing.id, buyer_id))
    return chat


async def post_system(session: AsyncSession, chat_id: UUID, code: str) -> None:
    """Put a line into the chat that nobody wrote; `code` is stable, like "reservation.accepted"."""
    _refuse(await queries.send(session, chat_id, None, code))
    poke_after_commit(session, TOPIC, str(chat_id))


async def chat_of(session: AsyncSession, listing_id: UUID, buyer_id: UUID) -> UUID | None:
    return await queries.id_of(session, listing_id, buyer_id)


async def start(session: AsyncSession, listing_id: UUID, buyer_id: UUID, data: FirstMessage) -> ChatStarted:
    """A buyer's message about a listing, in the one chat they have about it.

    Raises `SellerCannotStart`, `NotFound` for a listing they cannot see, `ListingUnavailable` for one that takes no
    new chats, `ChatBlocked`, and what `send` raises.
    """
    chat_id = await queries.id_of(session, listing_id, buyer_id)
    if chat_id is None:
        listing = await listings.visible(session, listing_id, buyer_id)
        if listing.seller_id == buyer_id:
            raise SellerCannotStart
        if await users.blocked_between(session, buyer_id, listing.seller_id):
            raise ChatBlocked
        listing = await listings.lock(session, listing_id)
        if listing.status not in BROWSABLE:
            raise ListingUnavailable
        chat_id = (await open_chat(session, listing, buyer_id)).id
    row = await _say(session, chat_id, buyer_id, data.body, data.client_id)
    chat = await queries.by_id(session, chat_id)
    assert chat is not None
    return ChatStarted(ChatRead(**_seen(ParticipantChat(chat, buyer_id))), to_read(row))


async def send(runtime: Runtime, sender_id: UUID, chat_id: UUID, body: str, client_id: str | None) -> MessageRead:
    """Send a message, committed when this returns; the stored one when `client_id` was sent before.

    Raises `NotFound` for strangers, `ChatBlocked`, `ChatClosed`, `NotVerified`.
    """
    message_id = new_id()
    jobs = runtime.bus.durable_jobs(MessageSent(message_id, chat_id, sender_id))
    if suspicions(body):
        jobs = [*jobs, *runtime.bus.durable_jobs(MessageSuspected(message_id))]
    rows = await runtime.database.hot.fetch(
        queries.SEND,
        chat_id,
        sender_id,
        message_id,
        body,
        client_id,
        runtime.settings.require_verified_email,
        [job.name for job in jobs],
        [job.payload for job in jobs],
    )
    found: tuple[Any, ...] = tuple(rows[0])
    if found[0] is not None:
        raise _REFUSALS[found[0]]
    if found[1]:
        runtime.broker.publish(TOPIC, str(chat_id))
        if jobs:
            runtime.broker.publish(JOBS_TOPIC, "")
    return MessageRead(*found[2:])


async def send_in_unit(
    session: AsyncSession, sender_id: UUID, chat_id: UUID, body: str, client_id: str | None
) -> MessageRead:
    """As `send`, but committed with the unit of work: what is stored under an Idempotency-Key goes with its effect."""
    return to_read(await _say(session, chat_id, sender_id, body, client_id))


async def inbox(
    session: AsyncSession, cursors: CursorSigner, user_id: UUID, *, archived: bool, cursor: str | None, limit: int
) -> Page[InboxChat]:
    """A person's chats, the latest message first; raises `InvalidCursor`."""
    scope = f"chats:{user_id}:{archived}"
    before: Any = cursors.decode(scope, cursor, (datetime, UUID)) if cursor else None
    rows = await queries.inbox(session, user_id, archived=archived, before=before, limit=limit + 1)
    items = await _for_inbox(session, user_id, rows[:limit])
    last = rows[limit - 1][0] if len(rows) > limit else None
    return Page(items, cursors.encode(scope, last.last_message_at, last.id) if last else None)


async def read_one(session: AsyncSession, mine: ParticipantChat) -> InboxChat:
    """One chat as its inbox entry."""
    found = await queries.with_last_message(session, mine.chat.id)
    assert found is not None
    return (await _for_inbox(session, mine.user_id, [found]))[0]


async def messages(session: AsyncSession, mine: ParticipantChat, query: MessagesQuery) -> MessagePage:
    """A page of messages; raises `ValidationFailed` when both directions are asked for."""
    if query.after_seq is not None and query.before_seq is not None:
        raise ValidationFailed.of("/before_seq", "conflicts", "Give after_seq or before_seq, not both.")
    if query.after_seq is not None:
        found = await queries.messages_after(session, mine.chat.id, query.after_seq, query.limit + 1)
    else:
        before = MAX_SEQ if query.before_seq is None else query.before_seq
        found = await queries.messages_before(session, mine.chat.id, before, query.limit + 1)
    return MessagePage([to_read(message) for message in found[: query.limit]], len(found) > query.limit)


async def read_up_to(session: AsyncSession, mine: ParticipantChat, seq: int) -> ChatRead:
    """Move the caller's reading mark to `seq`, never back; raises `ValidationFailed` beyond the last message."""
    if seq > mine.chat.last_seq:
        raise ValidationFailed.of("/seq", "out_of_range", f"The last message is {mine.chat.last_seq}.")
    if await queries.advance_read(session, mine.chat, as_buyer=mine.as_buyer, seq=seq):
        poke_after_commit(session, TOPIC, str(mine.chat.id))
    chat = await queries.by_id(session, mine.chat.id)
    assert chat is not None
    return ChatRead(**_seen(ParticipantChat(chat, mine.user_id)))


async def set_blocked(session: AsyncSession, mine: ParticipantChat, *, blocked: bool) -> None:
    """While either side blocks a chat nobody can send in it."""
    await queries.set_blocked(session, mine.chat.id, as_buyer=mine.as_buyer, blocked=blocked)


async def set_archived(session: AsyncSession, mine: ParticipantChat, *, archived: bool) -> None:
    """Put a chat away for one side; the next message brings it back."""
    await queries.set_archived(session, mine.chat.id, as_buyer=mine.as_buyer, archived=archived)


def to_read(row: Any) -> MessageRead:
    """A message from any row that has its columns."""
    return MessageRead(
        id=row.id,
        chat_id=row.chat_id,
        seq=row.seq,
        sender_id=row.sender_id,
        kind=row.kind,
        body=row.body,
        client_id=row.client_id,
        created_at=row.created_at,
        words_erased_at=row.words_erased_at,
    )


async def _say(session: AsyncSession, chat_id: UUID, sender_id: UUID, body: str, client_id: str | None) -> Any:
    """Send as part of this unit of work and tell of what is new; the stored row."""
    verified_only = adapters_of(session).get(Settings).require_verified_email
    row = await queries.send(session, chat_id, sender_id, body, client_id=client_id, verified_only=verified_only)
    _refuse(row)
    if row.fresh:
        publish(session, MessageSent(row.id, chat_id, sender_id))
        if suspicions(body):
            publish(session, MessageSuspected(row.id))
        poke_after_commit(session, TOPIC, str(chat_id))
    return row


def _refuse(row: Any) -> None:
    if row.refusal is not None:
        raise _REFUSALS[row.refusal]


def _seen(mine: ParticipantChat) -> dict[str, Any]:
    """The fields of `ChatRead` for one side."""
    chat = mine.chat
    reads = (chat.buyer_read_seq, chat.seller_read_seq)
    blocks = (chat.buyer_blocked_at is not None, chat.seller_blocked_at is not None)
    archives = (chat.buyer_archived_at is not None, chat.seller_archived_at is not None)
    me, other = (0, 1) if mine.as_buyer else (1, 0)
    return {
        "id": chat.id,
        "listing_id": chat.listing_id,
        "buyer_id": chat.buyer_id,
        "seller_id": chat.seller_id,
        "last_seq": chat.last_seq,
        "unread_count": chat.last_seq - reads[me],
        "read_seq": reads[me],
        "other_read_seq": reads[other],
        "archived": archives[me],
        "blocked_by_me": blocks[me],
        "blocked_by_other": blocks[other],
        "closed": chat.closed_at is not None,
        "last_message_at": chat.last_message_at,
        "created_at": chat.created_at,
    }


async def _for_inbox(
    session: AsyncSession, user_id: UUID, rows: Sequence[tuple[Chat, Message | None]]
) -> list[InboxChat]:
    seen = [(ParticipantChat(chat, user_id), message) for chat, message in rows]
    stubs = await listings.stubs(session, [mine.chat.listing_id for mine, _ in seen])
    others = await users.get_many(session, [mine.other_id for mine, _ in seen])
    items: list[InboxChat] = []
    for mine, message in seen:
        other = others[mine.other_id]
        items.append(
            InboxChat(
                **_seen(mine),
                listing=stubs[mine.chat.listing_id],
                other=ChatPerson(other.id, other.shown_name, other.shown_avatar_url),
                last_message=to_read(message) if message is not None else None,
            )
        )
    return items
