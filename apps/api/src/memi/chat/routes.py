"""HTTP: starting chats, the inbox, messages."""

from uuid import UUID

from litestar import Router, delete, get, post, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody

from memi.chat import service
from memi.chat.errors import ChatBlocked, ChatClosed, ListingUnavailable, SellerCannotStart
from memi.chat.guards import ParticipantChat, participant_chat
from memi.chat.schemas import (
    ChatRead,
    ChatStarted,
    FirstMessage,
    InboxChat,
    InboxQuery,
    MessageCreate,
    MessagePage,
    MessageRead,
    MessagesQuery,
    ReadUpTo,
)
from memi.platform.cursors import Page
from memi.platform.dependencies import (
    QUERY_MODEL,
    REQUIRES_CALLER,
    AnyRequest,
    App,
    Caller,
    Session,
    checked_principal,
    provide_session,
    query_of,
    runtime_of,
)
from memi.platform.errors import InvalidCursor, NotAuthenticated, NotFound, ValidationFailed
from memi.platform.impersonation import IMPERSONATION, OpenTo
from memi.platform.limits import Limit, limited
from memi.platform.problems import problems
from memi.platform.request_state import state_of
from memi.users.errors import NotVerified

_MINE = {"chat": Provide(participant_chat)}
_REFUSED = problems(NotAuthenticated, NotFound)
Mine = NamedDependency[ParticipantChat]


@post(
    "/listings/{listing_id:uuid}/chat",
    guards=[limited(Limit.CHAT_CREATE)],
    responses=problems(
        NotAuthenticated,
        NotFound,
        SellerCannotStart,
        ChatBlocked,
        NotVerified,
        ListingUnavailable,
        ChatClosed,
        ValidationFailed,
    ),
)
async def start_chat(
    listing_id: FromPath[UUID], data: JSONBody[FirstMessage], caller: Caller, session: Session
) -> ChatStarted:
    """Write to the seller. The first message makes the one chat you have about this listing; later ones go on in it."""
    return await service.start(session, listing_id, caller.user_id, data)


@get(
    "/chats",
    dependencies={"asked": query_of(InboxQuery)},
    opt={QUERY_MODEL: InboxQuery, IMPERSONATION: OpenTo.CHATS},
    responses=problems(NotAuthenticated, InvalidCursor, ValidationFailed),
)
async def list_chats(asked: NamedDependency[InboxQuery], caller: Caller, session: Session, app: App) -> Page[InboxChat]:
    """Your chats, the latest message first."""
    return await service.inbox(
        session, app.cursors, caller.user_id, archived=asked.archived, cursor=asked.cursor, limit=asked.limit
    )


@get("/chats/{chat_id:uuid}", dependencies=_MINE, opt={IMPERSONATION: OpenTo.CHATS}, responses=_REFUSED)
async def read_chat(chat: Mine, session: Session) -> InboxChat:
    """One of your chats."""
    return await service.read_one(session, chat)


@get(
    "/chats/{chat_id:uuid}/messages",
    dependencies={**_MINE, "asked": query_of(MessagesQuery)},
    opt={QUERY_MODEL: MessagesQuery, IMPERSONATION: OpenTo.CHATS},
    responses=problems(NotAuthenticated, NotFound, ValidationFailed),
)
async def list_messages(chat: Mine, asked: NamedDependency[MessagesQuery], session: Session) -> MessagePage:
    """Messages after `after_seq` (oldest first) or before `before_seq` (newest first); by default the newest."""
    return await service.messages(session, chat, asked)


@post(
    "/chats/{chat_id:uuid}/messages",
    guards=[limited(Limit.CHAT_SEND)],
    opt={REQUIRES_CALLER: True},
    responses=problems(NotAuthenticated, NotFound, ChatBlocked, NotVerified, ChatClosed, ValidationFailed),
)
async def send_message(chat_id: FromPath[UUID], data: JSONBody[MessageCreate], request: AnyRequest) -> MessageRead:
    """Send a message. Sending the same `client_id` again gives the message that is stored."""
    # The hottest write: taking the request itself spares the set-up of injected dependencies.
    caller = await checked_principal(request)
    if state_of(request.scope).idempotency is not None:
        return await service.send_in_unit(provide_session(request), caller.user_id, chat_id, data.body, data.client_id)
    return await service.send(runtime_of(request), caller.user_id, chat_id, data.body, data.client_id)


@post(
    "/chats/{chat_id:uuid}/read",
    status_code=200,
    dependencies=_MINE,
    responses=problems(NotAuthenticated, NotFound, ValidationFailed),
)
async def mark_read(data: JSONBody[ReadUpTo], chat: Mine, session: Session) -> ChatRead:
    """Say that everything up to `seq` is read; an earlier `seq` changes nothing."""
    return await service.read_up_to(session, chat, data.seq)


@put("/chats/{chat_id:uuid}/block", status_code=204, dependencies=_MINE, responses=_REFUSED)
async def block_chat(chat: Mine, session: Session) -> None:
    """Let nobody send in this chat any more."""
    await service.set_blocked(session, chat, blocked=True)


@delete("/chats/{chat_id:uuid}/block", status_code=204, dependencies=_MINE, responses=_REFUSED)
async def unblock_chat(chat: Mine, session: Session) -> None:
    """Take your block back; the other side's stays."""
    await service.set_blocked(session, chat, blocked=False)


@put("/chats/{chat_id:uuid}/archive", status_code=204, dependencies=_MINE, responses=_REFUSED)
async def archive_chat(chat: Mine, session: Session) -> None:
    """Put the chat away, for you alone, until its next message."""
    await service.set_archived(session, chat, archived=True)


@delete("/chats/{chat_id:uuid}/archive", status_code=204, dependencies=_MINE, responses=_REFUSED)
async def unarchive_chat(chat: Mine, session: Session) -> None:
    """Bring an archived chat back."""
    await service.set_archived(session, chat, archived=False)


router = Router(
    "",
    route_handlers=[
        start_chat,
        list_chats,
        read_chat,
        list_messages,
        send_message,
        mark_read,
        block_chat,
        unblock_chat,
        archive_chat,
        unarchive_chat,
    ],
    tags=["chat"],
)
