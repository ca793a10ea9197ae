"""What staff do. Every deed is audited in its own transaction, by the rules of the features it touches."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.admin.errors import AlreadyBlocked, CannotBlockSelf, NotBlocked, SellerGone, StaffProtected
from memi.audit import service as audit
from memi.listings import service as listings
from memi.listings.lifecycle import Status
from memi.listings.models import Listing
from memi.platform.errors import NotFound, PermissionDenied, StaleVersion
from memi.platform.permissions import STAFF, Permission
from memi.platform.principal import Principal
from memi.reports import direct
from memi.users import service as users
from memi.users.models import User


async def remove_listing(
    session: AsyncSession, caller: Principal, listing_id: UUID, reason: str, expected: int | None
) -> None:
    """Take a listing down, by a decision that its seller may appeal.

    Raises `NotFound`, `StaleVersion`, or `IllegalTransition` when it is removed or deleted already.
    """
    decided = await direct.removal(session, caller, listing_id, reason)
    before = (await listing_under(session, listing_id, expected)).status
    listing = await listings.remove(session, listing_id)
    await _moved(session, caller, "listing.remove", listing, before=before, reason=reason, decided=decided)


async def restore_listing(
    session: AsyncSession, caller: Principal, listing_id: UUID, reason: str | None, expected: int | None
) -> None:
    """Put a removed listing, or one that its owner deleted, back to the status it had.

    Raises `NotFound`, `StaleVersion`, `IllegalTransition`, and for a deleted one `PermissionDenied`, `SellerGone`,
    `ListingPurged`.
    """
    listing = await listing_under(session, listing_id, expected)
    before = listing.status
    if before == Status.DELETED:
        if not caller.may(Permission.LISTINGS_RESTORE):
            raise PermissionDenied(f"This needs the permission {Permission.LISTINGS_RESTORE}.")
        sellers = await users.get_many(session, [listing.seller_id])
        if sellers[listing.seller_id].deleted_at is not None:
            raise SellerGone
        listing = await listings.undelete(session, listing_id)
    else:
        listing = await listings.restore(session, listing_id)
    await _moved(session, caller, "listing.restore", listing, before=before, reason=reason)


async def listing_under(session: AsyncSession, listing_id: UUID, expected: int | None) -> Listing:
    """The listing, locked; raises `NotFound`, `StaleVersion` when the caller has seen another version."""
    listing = await listings.lock(session, listing_id)
    if expected is not None and expected != listing.version:
        raise StaleVersion
    return listing


async def _moved(
    session: AsyncSession,
    caller: Principal,
    action: str,
    listing: Listing,
    *,
    before: str,
    reason: str | None,
    decided: dict[str, Any] | None = None,
) -> None:
    facts = {"status": before}, {"status": listing.status} | (decided or {})
    await audit.record(session, caller, action, "LISTING", listing.id, reason=reason, before=facts[0], after=facts[1])


async def block_user(
    session: AsyncSession, caller: Principal, user_id: UUID, reason: str, expected: int | None = None
) -> User:
    """Block an account, by a decision that may be appealed: its tokens die at once.

    Raises `NotFound`, `CannotBlockSelf`, `StaffProtected`, `StaleVersion`, `AlreadyBlocked`, `LastAdmin`.
    """
    if user_id == caller.user_id:
        raise CannotBlockSelf
    user = await account_under(session, caller, user_id)
    check_version(user, expected)
    if user.is_blocked:
        raise AlreadyBlocked
    decided = await direct.block(session, caller, user, reason)
    user = await users.block(session, user_id)
    await _switched(session, caller, "user.block", user, reason, decided)
    return user


async def unblock_user(
    session: AsyncSession, caller: Principal, user_id: UUID, reason: str, expected: int | None = None
) -> User:
    """Let an account act again; its old sessions stay ended.

    Raises `NotFound`, `StaffProtected`, `StaleVersion`, `NotBlocked`.
    """
    user = await account_under(session, caller, user_id)
    check_version(user, expected)
    if not user.is_blocked:
        raise NotBlocked
    user = await users.unblock(session, user_id)
    await _switched(session, caller, "user.unblock", user, reason)
    return user


async def account_under(session: AsyncSession, caller: Principal, user_id: UUID) -> User:
    """The account, locked, if the caller may decide about it; raises `NotFound`, `StaffProtected`.

    The caller's own account is locked with it: of two who take each other's rights away, one does.
    """
    found = await users.lock_together(session, {caller.user_id, user_id})
    me, user = found[caller.user_id], found.get(user_id)
    if me.is_blocked or me.deleted_at is not None or not caller.roles <= set(me.roles):
        raise PermissionDenied("Your account has changed just now.")
    if user is None or user.deleted_at is not None:
        raise NotFound
    if STAFF & set(user.roles) and not caller.may(Permission.USERS_ROLES):
        raise StaffProtected
    return user


def check_version(user: User, expected: int | None) -> None:
    """Raises `StaleVersion` when the caller has seen another version of the account."""
    if expected is not None and expected != user.version:
        raise StaleVersion


async def _switched(  # noqa: PLR0917  # who, what, to whom, why, by what decision
    session: AsyncSession,
    caller: Principal,
    action: str,
    user: User,
    reason: str,
    decided: dict[str, Any] | None = None,
) -> None:
    before, after = {"is_blocked": not user.is_blocked}, {"is_blocked": user.is_blocked, **(decided or {})}
    await audit.record(session, caller, action, "USER", user.id, reason=reason, before=before, after=after)
