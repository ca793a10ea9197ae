"""Rules about people."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform import clock
from memi.platform.errors import NotFound, StaleVersion, ValidationFailed
from memi.platform.events import publish
from memi.platform.paging import Found, Place
from memi.platform.permissions import Role
from memi.users import avatars, queries, staff_queries
from memi.users.blocks import blocked_between as blocked_between
from memi.users.errors import EmailTaken
from memi.users.events import RolesChanged, SessionsEnded, UserBlocked, UserChanged, UserUnblocked
from memi.users.models import SellerStats, User
from memi.users.roles import keep_an_admin
from memi.users.roles import lock_together as lock_together
from memi.users.roles import set_staff_roles as set_staff_roles
from memi.users.schemas import PublicProfile, UserRead, UserUpdate
from memi.users.staff_queries import UserSearch as UserSearch

_SEEN_BY_OTHERS = frozenset({"name", "city", "avatar_url"})
_NEVER_NULL = ("name", "locale")
_MOST_REPLY_MINUTES = 32_767


class SeenProfile(NamedTuple):
    """A profile as one viewer sees it, the account's version, and whether search engines may know of it."""

    profile: PublicProfile
    version: int
    searchable: bool


def to_read(user: User, impersonated_by: UUID | None = None) -> UserRead:
    return UserRead(
        id=user.id,
        email=user.email,
        name=user.name,
        bio=user.bio,
        avatar=user.avatar_upload_id,
        avatar_url=user.avatar_url,
        city=user.city,
        phone=user.phone,
        locale=user.locale,
        roles=sorted(user.roles),
        email_verified=user.email_verified_at is not None,
        version=user.version,
        created_at=user.created_at,
        impersonated_by=impersonated_by,
    )


async def create(
    session: AsyncSession,
    *,
    email: str,
    name: str,
    password_hash: str | None,
    city: str | None = None,
    locale: str = "az",
    roles: Sequence[Role] = (Role.USER,),
    verified_at: datetime | None = None,
) -> User:
    """Make an account; raises `EmailTaken`, or `ValidationFailed` for an unknown city."""
    user = User(
        email=email.lower(),
        name=name,
        password_hash=password_hash,
        city=city.upper() if city else None,
        locale=locale,
        roles=[str(role) for role in roles],
        email_verified_at=verified_at,
    )
    session.add(user)
    await _flush(session)
    await session.refresh(user)
    return user


async def get(session: AsyncSession, user_id: UUID) -> User:
    """The account; raises `NotFound`."""
    user = await queries.by_id(session, user_id)
    if user is None or user.deleted_at is not None:
        raise NotFound
    return user


async def find_by_email(session: AsyncSession, email: str) -> User | None:
    return await queries.by_email(session, email.lower())


async def get_many(session: AsyncSession, user_ids: Sequence[UUID]) -> dict[UUID, User]:
    """Accounts by id, deleted ones too; unknown ids are absent."""
    return {user.id: user for user in await queries.by_ids(session, user_ids)}


async def search(session: AsyncSession, wanted: UserSearch, place: Place) -> Found[User]:
    """For staff: accounts that fit, newest first, blocked and deleted ones too."""
    return await staff_queries.search(session, wanted, place)


async def stats_of(session: AsyncSession, user_id: UUID) -> SellerStats | None:
    """The numbers kept of a seller; None for who never sold anything."""
    return await staff_queries.stats_of(session, user_id)


async def lock(session: AsyncSession, user_id: UUID) -> User:
    """The account, locked until the end of the unit of work; raises `NotFound`."""
    user = await queries.lock(session, user_id)
    if user is None or user.deleted_at is not None:
        raise NotFound
    return user


async def update(session: AsyncSession, user_id: UUID, patch: UserUpdate, expected_version: int | None) -> User:
    """Apply a merge patch; raises `StaleVersion` when the account moved on, `AvatarNotReady`, `ValidationFailed`."""
    user = await queries.lock(session, user_id)
    if user is None:
        raise NotFound
    if expected_version is not None and expected_version != user.version:
        raise StaleVersion
    changes = patch.model_dump(include=patch.model_fields_set)
    for name in _NEVER_NULL:
        if name in changes and changes[name] is None:
            raise ValidationFailed.of(f"/{name}", "required", "This field cannot be empty.")
    if changes.get("city"):
        changes["city"] = changes["city"].upper()
    if "avatar" in changes:
        changes |= await avatars.choose(session, user, changes.pop("avatar"))
    changed = {name for name, value in changes.items() if getattr(user, name) != value}
    if not changed:
        return user
    for name in changed:
        setattr(user, name, changes[name])
    user.version += 1
    await _flush(session)
    if changed & _SEEN_BY_OTHERS:
        publish(session, UserChanged(user.id))
    return user


async def public_profile(session: AsyncSession, user_id: UUID, viewer_id: UUID | None = None) -> SeenProfile:
    """A person as the viewer may see them; raises `NotFound` for blocked and deleted ones too.

    Whom a block keeps apart see of each other what strangers do, and not when they were last here.
    """
    found = await queries.profile(session, user_id, viewer_id)
    if found is None:
        raise NotFound
    user, stats, apart = found
    known = viewer_id is not None and not apart
    profile = PublicProfile(
        id=user.id,
        name=user.name,
        bio=user.bio,
        avatar_url=user.avatar_url,
        city=user.city if user.show_city else None,
        phone=user.phone if user.show_phone and known else None,
        last_seen_at=_to_the_hour(user.last_seen_at) if user.show_last_seen and not apart else None,
        member_since=user.created_at,
        active_listing_count=stats.active_listing_count if stats else 0,
        sold_count=stats.sold_count if stats else 0,
        reply_minutes=stats.reply_minutes if stats else None,
    )
    return SeenProfile(profile, user.version, user.searchable)


async def saw(session: AsyncSession, user_id: UUID) -> None:
    """Note that the person is here: written every five minutes at most, and never waited for."""
    await queries.saw(session, user_id)


async def grant_role(session: AsyncSession, user_id: UUID, role: Role) -> None:
    """Give a role; having it already changes nothing."""
    user = await queries.lock(session, user_id)
    if user is None:
        raise NotFound
    if role not in user.roles:
        user.roles = [*user.roles, str(role)]
        user.version += 1
        publish(session, RolesChanged(user.id))


async def block(session: AsyncSession, user_id: UUID) -> User:
    """Block an account: its sessions end at once. Blocking again changes nothing. Raises `NotFound`, `LastAdmin`."""
    user = await queries.lock(session, user_id)
    if user is None or user.deleted_at is not None:
        raise NotFound
    if not user.is_blocked:
        await keep_an_admin(session, user)
        user.is_blocked = True
        user.epoch += 1
        user.version += 1
        publish(session, UserBlocked(user.id))
        publish(session, SessionsEnded(user.id, None))
    return user


async def unblock(session: AsyncSession, user_id: UUID) -> User:
    user = await queries.lock(session, user_id)
    if user is None or user.deleted_at is not None:
        raise NotFound
    if user.is_blocked:
        user.is_blocked = False
        user.version += 1
        publish(session, UserUnblocked(user.id))
    return user


async def raise_epoch(session: AsyncSession, user_id: UUID) -> int:
    """Void every sign-in of an account, finished or under way; returns the epoch that new ones must have."""
    user = await queries.lock(session, user_id)
    if user is None:
        raise NotFound
    user.epoch += 1
    return user.epoch


async def set_password_hash(session: AsyncSession, user_id: UUID, password_hash: str) -> None:
    user = await queries.lock(session, user_id)
    if user is None:
        raise NotFound
    user.password_hash = password_hash


async def set_email(session: AsyncSession, user_id: UUID, email: str) -> None:
    """Give the account an address that its owner has proved to read; raises `EmailTaken`, which voids the unit."""
    user = await queries.lock(session, user_id)
    if user is None:
        raise NotFound
    user.email = email.lower()
    user.email_verified_at = clock.now()
    user.email_refused_at = None
    user.version += 1
    await _flush(session)


async def mark_verified(session: AsyncSession, user_id: UUID) -> None:
    user = await queries.lock(session, user_id)
    if user is None:
        return
    user.email_refused_at = None
    if user.email_verified_at is None:
        user.email_verified_at = clock.now()
        user.version += 1


async def mark_refused(session: AsyncSession, user_id: UUID, email: str) -> None:
    """A mail server will never take mail for the address; it counts while it is the account's."""
    user = await queries.lock(session, user_id)
    if user is not None and user.email == email:
        user.email_refused_at = clock.now()


async def count_listing_move(session: AsyncSession, seller_id: UUID, *, active: int = 0, sold: int = 0) -> None:
    """Move a seller's counters by differences, as listings come, go and sell."""
    if active or sold:
        await queries.add_to_stats(session, seller_id, active, sold)


async def note_reply_minutes(session: AsyncSession, minutes: Mapping[UUID, int]) -> None:
    """Write down how long buyers typically wait for these sellers' first answer."""
    if minutes:
        most = {seller_id: min(value, _MOST_REPLY_MINUTES) for seller_id, value in minutes.items()}
        await queries.write_reply_minutes(session, most)


def _to_the_hour(at: datetime | None) -> datetime | None:
    """Cut, so that nobody's comings and goings can be followed."""
    return None if at is None else at.replace(minute=0, second=0, microsecond=0)


async def _flush(session: AsyncSession) -> None:
    try:
        await session.flush()
    except IntegrityError as error:
        constraint = getattr(error.orig.__cause__ if error.orig else None, "constraint_name", "")
        if constraint == "uq_users_email":
            raise EmailTaken from None
        if constraint == "fk_users_city":
            raise ValidationFailed.of("/city", "unknown_value", "There is no such city.") from None
        raise
