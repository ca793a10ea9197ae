"""Which mail a person gets next: decided and claimed in one transaction, which commits before anything is sent."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.listings import service as listings
from memi.notifications import mail_queries, preferences, service, unsubscribing
from memi.notifications.letters import LETTERS, Pen
from memi.notifications.mail_queries import Talk, Waiting
from memi.notifications.preference_schemas import Preferences
from memi.platform.keyring import KeyRing
from memi.platform.mail import Mail
from memi.platform.settings import Settings
from memi.users import service as users
from memi.users.models import User

_AT_ONCE = 500
_MOST_TRIES = 12
"""Over about 17 hours, since the wait doubles."""
_TO_SELLERS = frozenset({"listing.expiring", "listing.expired"})
_TO_BLOCKED = frozenset({"moderation.decided", "appeal.decided"})
"""All that is mailed to whoever is blocked: they cannot sign in to read what was decided, and why."""


@dataclass(frozen=True)
class Claimed:
    """A mail to be sent once, and the notifications that it is for."""

    user_id: UUID
    ids: Sequence[UUID]
    mail: Mail


@dataclass(frozen=True)
class _Choice:
    rows: Sequence[Waiting]
    kind: str
    """What the address to unsubscribe is for."""


async def claim(session: AsyncSession, settings: Settings, ring: KeyRing, user_id: UUID) -> Claimed | None:
    """The next mail that is due, claimed for whoever commits this; what has no more reason is dropped."""
    rows = await mail_queries.waiting(session, user_id, _AT_ONCE)
    if not any(row.due for row in rows):
        return None
    user = (await users.get_many(session, [user_id]))[user_id]
    wanted = await preferences.read(session, user_id)
    talks = await mail_queries.talks(session, user_id, _ids(rows, "chat_id"))
    left = await _with_reason(session, rows, user, wanted, talks)
    gone = {row.notification_id for row in rows} - {row.notification_id for row in left}
    if gone:
        await mail_queries.move(session, gone, "DROPPED")
    chosen = _next_of(left)
    if chosen is None:
        return None
    until = await mail_queries.quiet_until(session, user_id)
    if until is not None:
        await mail_queries.postpone(session, [row.notification_id for row in left], until)
        return None
    ids = [row.notification_id for row in chosen.rows]
    await mail_queries.move(session, ids, "CLAIMED")
    address = unsubscribing.address(settings, ring, user_id, chosen.kind)
    pen = Pen(settings, to=user.email, name=user.name, locale=user.locale, unsubscribe=address, blocked=user.is_blocked)
    return Claimed(user_id, ids, _write(pen, chosen, talks))


async def sent(session: AsyncSession, claimed: Claimed) -> None:
    await mail_queries.move(session, claimed.ids, "SENT")


async def failed(session: AsyncSession, claimed: Claimed) -> None:
    """It may have left or not, so it is not sent again."""
    await mail_queries.move(session, claimed.ids, "FAILED")


async def turned_away(session: AsyncSession, claimed: Claimed) -> None:
    """It surely did not leave: it may be claimed again, later."""
    await mail_queries.try_later(session, claimed.ids, _MOST_TRIES)


async def refused(session: AsyncSession, claimed: Claimed) -> None:
    """Nothing more is mailed to this address until it is proved anew; its owner finds that in the application."""
    await failed(session, claimed)
    await users.mark_refused(session, claimed.user_id, claimed.mail.to)
    key = f"email_refused:{claimed.ids[0]}"
    await service.notify(session, claimed.user_id, "GENERIC", "account.email_refused", {}, key)


async def _with_reason(
    session: AsyncSession, rows: Sequence[Waiting], user: User, wanted: Preferences, talks: dict[UUID, Talk]
) -> list[Waiting]:
    """Those that are still worth a mail, as things stand now."""
    if user.deleted_at is not None or user.email_verified_at is None or user.email_refused_at is not None:
        return []
    numbers = await mail_queries.numbers(session, _ids(rows, "message_id"))
    stubs = await listings.stubs(session, sorted(_ids([row for row in rows if row.type == "LISTING"], "listing_id")))

    def has_reason(row: Waiting) -> bool:
        if row.read or (user.is_blocked and row.event not in _TO_BLOCKED):
            return False
        on = wanted.digest == "daily" if row.kind == "digest" else wanted.types[row.type].email
        if row.type == "MESSAGE":
            talk = talks.get(_id(row, "chat_id"))
            return on and talk is not None and not talk.apart and numbers.get(_id(row, "message_id"), 0) > talk.read_seq
        if row.type == "LISTING" and row.event not in _TO_SELLERS:
            stub = stubs.get(_id(row, "listing_id"))
            # It was taken down meanwhile: nobody else may hear anything of it.
            return on and stub is not None and stub.available
        return on

    return [row for row in rows if has_reason(row)]


def _next_of(rows: Sequence[Waiting]) -> _Choice | None:
    """A single one that is due; else all unread messages, or all news of a digest, when one of them is due."""
    single = next((row for row in rows if row.kind == "single" and row.due), None)
    if single is not None:
        return _Choice([single], single.type)
    for kind, ending in (("messages", "MESSAGE"), ("digest", "digest")):
        of_kind = [row for row in rows if row.kind == kind]
        if any(row.due for row in of_kind):
            return _Choice(of_kind if kind == "messages" else [row for row in of_kind if row.due], ending)
    return None


def _write(pen: Pen, chosen: _Choice, talks: dict[UUID, Talk]) -> Mail:
    first = chosen.rows[0]
    if first.kind == "digest":
        return pen.digest([(row.event, row.data) for row in chosen.rows])
    if first.kind == "single":
        data = dict(first.data)
        if "other_name" in data:
            # The name that the other side goes by now, not then: an account may have been deleted since.
            talk = talks.get(_id(first, "chat_id"))
            data["other_name"] = talk.other_name if talk is not None else None
        return pen.news(first.event, data)
    by_chat: dict[UUID, list[Waiting]] = {}
    for row in chosen.rows:
        by_chat.setdefault(_id(row, "chat_id"), []).append(row)
    chats = [
        (talks[chat_id].other_name, rows[-1].data.get("listing_title"), len(rows)) for chat_id, rows in by_chat.items()
    ]
    only = next(iter(by_chat))
    return pen.messages(chats, f"/chats/{only}" if len(by_chat) == 1 else LETTERS["messages"])


def _id(row: Waiting, name: str) -> UUID:
    return UUID(row.data[name]) if row.data.get(name) else UUID(int=0)


def _ids(rows: Collection[Waiting], name: str) -> set[UUID]:
    return {UUID(row.data[name]) for row in rows if row.data.get(name)}
