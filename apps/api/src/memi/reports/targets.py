"""What can be reported: whether the reporter may see it, whom it is about, and how it looks."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from memi.chat import moderation as chats
from memi.chat.guards import participant
from memi.chat.models import Chat
from memi.listings import service as listings
from memi.platform.errors import NotFound, ValidationFailed
from memi.reports.errors import OwnThing
from memi.reports.models import Report
from memi.reports.schemas import Action, TargetType
from memi.users import service as users
from memi.users.models import User

ACTIONS: dict[str, tuple[Action, ...]] = {
    "LISTING": ("DISMISS", "REMOVE_LISTING", "WARN_USER", "BLOCK_USER"),
    "USER": ("DISMISS", "WARN_USER", "BLOCK_USER"),
    "CHAT": ("DISMISS", "WARN_USER", "BLOCK_USER", "CLOSE_CHAT"),
    "MESSAGE": ("DISMISS", "WARN_USER", "BLOCK_USER", "CLOSE_CHAT"),
}
"""What can be done about each kind of target."""


@dataclass(frozen=True)
class Target:
    """Something that may be reported, and how it looks now."""

    subject_id: UUID
    snapshot: dict[str, Any]
    listing_id: UUID | None = None
    chat_id: UUID | None = None
    message_id: UUID | None = None


async def find(session: AsyncSession, kind: TargetType, target_id: UUID, reporter_id: UUID) -> Target:
    """Raises `NotFound` for what the reporter may not see, `OwnThing`, `ValidationFailed` for oneself."""
    if kind == "LISTING":
        return await _listing(session, target_id, reporter_id)
    if kind == "USER":
        return await _user(session, target_id, reporter_id)
    if kind == "CHAT":
        mine = await participant(session, target_id, reporter_id)
        return Target(mine.other_id, _chat(mine.chat), chat_id=target_id)
    message, mine = await chats.message_to(session, target_id, reporter_id)
    if message.sender_id == reporter_id:
        raise OwnThing
    if message.sender_id is None:
        raise ValidationFailed.of("/target_id", "not_reportable", "Nobody wrote this line.")
    # Its words stay in the chat, where nobody can change them, and are read there.
    snapshot = {"seq": message.seq, "kind": message.kind, "created_at": message.created_at, "chat": _chat(mine.chat)}
    return Target(message.sender_id, _plain(snapshot), chat_id=message.chat_id, message_id=message.id)


async def _listing(session: AsyncSession, listing_id: UUID, reporter_id: UUID) -> Target:
    listing = await listings.visible(session, listing_id, reporter_id)
    if listing.seller_id == reporter_id:
        raise OwnThing
    return Target(listing.seller_id, await _shown(session, listing_id) or {}, listing_id=listing_id)


async def listing(session: AsyncSession, listing_id: UUID) -> Target | None:
    """A listing in whatever status, for staff; None when there is none."""
    shown = (await listings.render(session, [listing_id])).get(listing_id)
    return None if shown is None else Target(shown.seller.id, _plain(shown), listing_id=listing_id)


async def _user(session: AsyncSession, user_id: UUID, reporter_id: UUID) -> Target:
    if user_id == reporter_id:
        raise ValidationFailed.of("/target_id", "oneself", "You cannot report yourself.")
    seen = await users.public_profile(session, user_id)
    return Target(user_id, _plain(seen.profile))


async def now(session: AsyncSession, report: Report) -> dict[str, Any] | None:
    """The target as it is by now; None when it is gone."""
    if report.target_type == "LISTING":
        return None if report.listing_id is None else await _shown(session, report.listing_id)
    if report.target_type == "USER":
        found = await users.get_many(session, [report.subject_id])
        return account(found[report.subject_id])
    assert report.chat_id is not None
    chat = await chats.by_id(session, report.chat_id)
    return None if chat is None else _chat(chat)


async def _shown(session: AsyncSession, listing_id: UUID) -> dict[str, Any] | None:
    try:
        return _plain((await listings.render(session, [listing_id]))[listing_id])
    except KeyError:
        return None


def account(user: User) -> dict[str, Any]:
    """An account as moderators see it."""
    return _plain(
        {
            "id": user.id,
            "name": user.shown_name,
            "bio": user.bio,
            "avatar_url": user.shown_avatar_url,
            "is_blocked": user.is_blocked,
            "deleted_at": user.deleted_at,
            "created_at": user.created_at,
        }
    )


def _chat(chat: Chat) -> dict[str, Any]:
    return _plain(
        {
            "id": chat.id,
            "listing_id": chat.listing_id,
            "buyer_id": chat.buyer_id,
            "seller_id": chat.seller_id,
            "last_seq": chat.last_seq,
            "closed_at": chat.closed_at,
            "created_at": chat.created_at,
        }
    )


def _plain(value: Any) -> dict[str, Any]:
    return msgspec.to_builtins(value, str_keys=True)


def readable(report: Report) -> UUID:
    """The chat that this report opens to whoever claimed it; raises `NotFound` for one that is about no chat."""
    if report.chat_id is None:
        raise NotFound
    return report.chat_id
