"""Flags on messages: moderators see that there are some, look at the one message, and say when they are done.

Nobody in the chat learns of it, and the message stays as it was written.
"""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.audit import service as audit
from memi.chat import flag_queries as queries
from memi.chat.errors import FlagIsResolved, NotImpartial
from memi.chat.flag_queries import Flagged
from memi.chat.flag_schemas import FlaggedMessage, FlagQuery, FlagResolution, MessageFlagRead
from memi.platform.cursors import CursorSigner, Page
from memi.platform.errors import NotFound
from memi.platform.principal import Principal


async def queue(session: AsyncSession, cursors: CursorSigner, asked: FlagQuery) -> Page[MessageFlagRead]:
    """The oldest first; raises `InvalidCursor`."""
    scope = f"admin.message-flags:{asked.status}:{asked.kind}"
    after: Any = cursors.decode(scope, asked.cursor, (UUID,))[0] if asked.cursor else None
    found = await queries.find(
        session, is_open=asked.status == "OPEN", kind=asked.kind, after=after, limit=asked.limit + 1
    )
    items = [to_read(item) for item in found[: asked.limit]]
    return Page(items, cursors.encode(scope, items[-1].id) if len(found) > asked.limit else None)


async def look(session: AsyncSession, caller: Principal, flag_id: UUID) -> FlaggedMessage:
    """The words that were flagged, which the audit log keeps that somebody read.

    Raises `NotFound`, `NotImpartial`, `FlagIsResolved`.
    """
    found = await _open(session, caller, flag_id)
    message = found.message
    await audit.record(session, caller, "message.look", "MESSAGE", message.id, after={"flag_id": flag_id})
    return FlaggedMessage(to_read(found), message.kind, message.body)


async def resolve(session: AsyncSession, caller: Principal, flag_id: UUID, data: FlagResolution) -> MessageFlagRead:
    """It has been dealt with; raises `NotFound`, `NotImpartial`, `FlagIsResolved`."""
    found = await _open(session, caller, flag_id)
    if not await queries.resolve(session, flag_id):
        raise FlagIsResolved
    facts = {"flag_id": flag_id, "kind": found.flag.kind, "source": found.flag.source}
    await audit.record(
        session, caller, "message_flag.resolve", "MESSAGE", found.message.id, reason=data.reason, after=facts
    )
    done = await queries.by_id(session, flag_id)
    assert done is not None
    return to_read(done)


async def _open(session: AsyncSession, caller: Principal, flag_id: UUID) -> Flagged:
    found = await queries.by_id(session, flag_id)
    if found is None:
        raise NotFound
    if caller.user_id in (found.chat.buyer_id, found.chat.seller_id):
        raise NotImpartial
    if found.flag.resolved_at is not None:
        raise FlagIsResolved
    return found


def to_read(item: Flagged) -> MessageFlagRead:
    flag, message, chat = item
    assert message.sender_id is not None
    return MessageFlagRead(
        id=flag.id,
        kind=flag.kind,
        source=flag.source,
        note=flag.note,
        message_id=message.id,
        chat_id=chat.id,
        listing_id=chat.listing_id,
        sender_id=message.sender_id,
        seq=message.seq,
        sent_at=message.created_at,
        created_at=flag.created_at,
        resolved_at=flag.resolved_at,
    )
