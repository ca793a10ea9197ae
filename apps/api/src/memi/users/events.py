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
class UserDeleted:
    """The account is gone for everybody; for some days it can be had back. Its sessions are over."""

    user_id: UUID


@dataclass(frozen=True)
class UserRestored:
    """A deleted account is back as it was. It may still be blocked."""

    user_id: UUID


@dataclass(frozen=True)
class UserErased:
    """What was personal of a deleted account is gone for good; the row stays, nameless."""

    user_id: UUID


@dataclass(frozen=True)
class PeopleBlocked:
    """One person wants nothing to do with another any more. Told to both sides' features, never to `blocked_id`."""

    blocker_id: UUID
    blocked_id: UUID


@dataclass(frozen=True)
class PrivacyChanged:
    """A person shows more or less of themselves."""

    user_id: UUID


@dataclass(frozen=True)
class RolesChanged:
    """What a person may do changed; their sessions go on if they meet what the new roles ask for."""

    user_id: UUID


@dataclass(frozen=True)
class SessionsEnded:
    """Sessions of a person were revoked; `session_id` None means all of them."""

    user_id: UUID
    session_id: UUID | None
