"""What happens in chats, for the features above."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class MessageSent:
    """A person's message is in the chat; system lines are not told."""

    message_id: UUID
    chat_id: UUID
    sender_id: UUID
