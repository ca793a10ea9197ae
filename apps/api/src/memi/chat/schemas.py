"""Shapes of chats and messages, the same over HTTP and sockets."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from pydantic import ConfigDict, Field

from memi.listings.schemas import ListingStub
from memi.platform.validation import RequestModel

MAX_SEQ = 2**63 - 1
PAGE = 24
MAX_PAGE = 100


Body = Annotated[str, Field(min_length=1, max_length=4000)]
ClientId = Annotated[str, Field(min_length=1, max_length=100)]
Seq = Annotated[int, Field(ge=0, le=MAX_SEQ)]


class FirstMessage(RequestModel):
    """`client_id` is the sender's own name for the message: sending it again stores nothing new."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"body": "Salam! Is it still available?", "client_id": "b6d7a3f0-1"}]}
    )

    body: Body
    client_id: ClientId | None = None


class MessageCreate(FirstMessage):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"body": "Salam! Is it still available?", "client_id": "b6d7a3f0-1"}]}
    )


class ReadUpTo(RequestModel):
    """Everything up to and including `seq` has been read."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"seq": 12}]})

    seq: Seq


class InboxQuery(RequestModel):
    archived: bool = False
    limit: Annotated[int, Field(ge=1, le=100)] = 24
    cursor: str | None = None


class MessagesQuery(RequestModel):
    """`after_seq` reads on from there, oldest first; `before_seq` reads back, newest first; neither: the newest."""

    after_seq: Seq | None = None
    before_seq: Seq | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = PAGE


class MessageRead(msgspec.Struct, frozen=True):
    """`sender_id` is null for SYSTEM lines, whose body is a stable code like "reservation.accepted".

    With `words_erased_at` the sender's account is gone and so is what they said: `body` is empty, whatever the kind.
    """

    id: UUID
    chat_id: UUID
    seq: int
    sender_id: UUID | None
    kind: Literal["TEXT", "IMAGE", "SYSTEM"]
    body: str
    client_id: str | None
    created_at: datetime
    words_erased_at: datetime | None


class ChatRead(msgspec.Struct):
    """A chat as one of its two people sees it. `unread_count`: messages after `read_seq`; `closed`: by a moderator."""

    id: UUID
    listing_id: UUID
    buyer_id: UUID
    seller_id: UUID
    last_seq: int
    unread_count: int
    read_seq: int
    other_read_seq: int
    archived: bool
    blocked_by_me: bool
    blocked_by_other: bool
    closed: bool
    last_message_at: datetime
    created_at: datetime


class ChatPerson(msgspec.Struct):
    id: UUID
    name: str
    avatar_url: str | None


class InboxChat(ChatRead):
    """A chat with what an inbox shows of it."""

    listing: ListingStub
    other: ChatPerson
    last_message: MessageRead | None


class ChatStarted(msgspec.Struct):
    chat: ChatRead
    message: MessageRead


class MessagePage(msgspec.Struct):
    """`has_more`: there are further messages in the direction that was read."""

    items: list[MessageRead]
    has_more: bool
