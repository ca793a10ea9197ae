"""What happens to people, for the features above."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class UserChanged:
    """Something others see of a person changed: name, avatar or city."""

    user_id: UUID


@dataclass(frozen=True)
class UserBlocked:
    """A moderator blocked the account; its sessions are over."""

    user_id: UUID


@dataclass(frozen=True)
class UserUnblocked:
    user_id: UUID


@dataclass(frozen=True)
class SessionsEnded:
    """Sessions of a person were revoked; `session_id` None means all of them."""

    user_id: UUID
    session_id: UUID | None
