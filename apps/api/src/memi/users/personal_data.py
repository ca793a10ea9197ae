"""What is kept of people here: the account itself, their addresses, whom they blocked."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.media import service as media
from memi.platform.personal_data import Batch, Kind, PersonalData
from memi.users import personal_queries as queries
from memi.users.avatars import claimant

_PAGE = 500


async def _account(session: AsyncSession, user_id: UUID, _after: Any) -> Batch:
    found = await queries.account(session, user_id)
    if found is None:
        return Batch([])
    user, stats = found
    return Batch(
        [
            {
                "id": user.id,
                "email": user.email,
                "email_verified_at": user.email_verified_at,
                "name": user.name,
                "bio": user.bio,
                "avatar_url": user.avatar_url,
                "city": user.city,
                "phone": user.phone,
                "locale": user.locale,
                "roles": sorted(user.roles),
                "has_password": user.password_hash is not None,
                "is_blocked": user.is_blocked,
                "created_at": user.created_at,
                "last_seen_at": user.last_seen_at,
                "active_listing_count": stats.active_listing_count if stats else 0,
                "sold_count": stats.sold_count if stats else 0,
                "reply_minutes": stats.reply_minutes if stats else None,
            }
        ]
    )


async def _privacy(session: AsyncSession, user_id: UUID, _after: Any) -> Batch:
    found = await queries.account(session, user_id)
    if found is None:
        return Batch([])
    names = ("show_city", "show_phone", "show_last_seen", "searchable")
    return Batch([{name: getattr(found[0], name) for name in names}])


async def _addresses(session: AsyncSession, user_id: UUID, after: UUID | None) -> Batch:
    rows = await queries.addresses(session, user_id, after, _PAGE)
    names = ("label", "recipient", "phone", "line1", "line2", "city", "postal_code", "is_default", "created_at")
    records = [{"id": row.id, **{name: getattr(row, name) for name in names}} for row in rows]
    return Batch(records, rows[-1].id if len(rows) == _PAGE else None)


async def _blocks(session: AsyncSession, user_id: UUID, after: UUID | None) -> Batch:
    rows = await queries.blocked_by(session, user_id, after, _PAGE)
    records = [{"name": user.shown_name, "since": since} for user, since in rows]
    return Batch(records, rows[-1][0].id if len(rows) == _PAGE else None)


async def _erase(session: AsyncSession, user_id: UUID) -> None:
    found = await queries.account(session, user_id)
    if found is not None and found[0].avatar_upload_id is not None:
        await media.detach(session, claimant(user_id), [found[0].avatar_upload_id])
    await queries.anonymise(session, user_id)


PERSONAL_DATA = PersonalData(
    feature="users",
    kinds=(
        Kind("account", "Your account and the numbers on your profile.", _account, single=True),
        Kind("privacy", "What others may see of you.", _privacy, single=True),
        Kind("addresses", "Your address book.", _addresses),
        Kind("blocks", "Whom you blocked, by name.", _blocks),
    ),
    erase=_erase,
    erased=frozenset(
        {"user_addresses.user_id", "user_blocks.blocker_id", "user_blocks.blocked_id", "seller_stats.user_id"}
    ),
)
