"""What happens in chats, for the features above."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class ChatOpened:
    """There is a chat of this buyer about this listing, which there was not before."""

    chat_id: UUID
    listing_id: UUID
    buyer_id: UUID


@dataclass(frozen=True)
class MessageSent:
    """A person's message is in the chat; system lines are not told."""

    message_id: UUID
    chat_id: UUID
    sender_id: UUID


@dataclass(frozen=True)
class MessageSuspected:
    """What a person wrote has a link or a way to reach somebody elsewhere in it; told beside `MessageSent`."""

    message_id: UUID
