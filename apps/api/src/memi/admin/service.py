"""What staff do. Every deed is audited in its own transaction, by the rules of the features it touches."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.admin.errors import AlreadyBlocked, CannotBlockSelf, NotBlocked, StaffProtected
from memi.audit import service as audit
from memi.listings import service as listings
from memi.listings.models import Listing
from memi.listings.schemas import ListingRead
from memi.platform import job_queue
from memi.platform.errors import NotFound, StaleVersion
from memi.platform.permissions import STAFF, Permission
from memi.platform.principal import Principal
from memi.platform.pubsub import JOBS_TOPIC
from memi.platform.unit_of_work import poke_after_commit
from memi.users import service as users
from memi.users.models import User


async def remove_listing(
    session: AsyncSession, caller: Principal, listing_id: UUID, reason: str, expected: int | None
) -> ListingRead:
    """Take a listing down; raises `NotFound`, or `IllegalTransition` when it is removed or deleted already."""
    before = await _status(session, listing_id, expected)
    listing = await listings.remove(session, listing_id)
    return await _moved(session, caller, "listing.remove", listing, before=before, reason=reason)


async def restore_listing(
    session: AsyncSession, caller: Principal, listing_id: UUID, reason: str | None, expected: int | None
) -> ListingRead:
    """Put a removed listing back to the status it had; raises `NotFound` or `IllegalTransition`."""
    before = await _status(session, listing_id, expected)
    listing = await listings.restore(session, listing_id)
    return await _moved(session, caller, "listing.restore", listing, before=before, reason=reason)


async def _status(session: AsyncSession, listing_id: UUID, expected: int | None) -> str:
    """What the listing is, locked from now on; raises `StaleVersion` when the caller has seen another version."""
    listing = await listings.lock(session, listing_id)
    if expected is not None and expected != listing.version:
        raise StaleVersion
    return listing.status


async def _moved(
    session: AsyncSession, caller: Principal, action: str, listing: Listing, *, before: str, reason: str | None
) -> ListingRead:
    await audit.record(
        session,
        caller,
        action,
        "LISTING",
        listing.id,
        reason=reason,
        before={"status": before},
        after={"status": listing.status},
    )
    return (await listings.render(session, [listing.id]))[listing.id]


async def block_user(session: AsyncSession, caller: Principal, user_id: UUID, reason: str) -> User:
    """Block an account: its tokens die at once.

    Raises `NotFound`, `CannotBlockSelf`, `StaffProtected`, `AlreadyBlocked`.
    """
    if user_id == caller.user_id:
        raise CannotBlockSelf
    user = await account_under(session, caller, user_id)
    if user.is_blocked:
        raise AlreadyBlocked
    user = await users.block(session, user_id)
    await _switched(session, caller, "user.block", user, reason)
    return user


async def unblock_user(session: AsyncSession, caller: Principal, user_id: UUID, reason: str) -> User:
    """Let an account act again; its old sessions stay ended. Raises `NotFound`, `StaffProtected`, `NotBlocked`."""
    user = await account_under(session, caller, user_id)
    if not user.is_blocked:
        raise NotBlocked
    user = await users.unblock(session, user_id)
    await _switched(session, caller, "user.unblock", user, reason)
    return user


async def account_under(session: AsyncSession, caller: Principal, user_id: UUID) -> User:
    """The account, locked, if the caller may decide about it; raises `NotFound`, `StaffProtected`."""
    user = await users.lock(session, user_id)
    if STAFF & set(user.roles) and not caller.may(Permission.USERS_ROLES):
        raise StaffProtected
    return user


async def _switched(session: AsyncSession, caller: Principal, action: str, user: User, reason: str) -> None:
    before, after = {"is_blocked": not user.is_blocked}, {"is_blocked": user.is_blocked}
    await audit.record(session, caller, action, "USER", user.id, reason=reason, before=before, after=after)


async def retry_job(session: AsyncSession, caller: Principal, job_id: UUID) -> job_queue.DeadJob:
    """Queue a dead job again, its attempts counted afresh; raises `NotFound`."""
    job = await _take_dead(session, caller, "job.retry", job_id)
    await job_queue.insert_jobs(session, [job.name], [job.payload], [0.0], [None])
    poke_after_commit(session, JOBS_TOPIC, "")
    return job


async def discard_job(session: AsyncSession, caller: Principal, job_id: UUID) -> job_queue.DeadJob:
    """Forget a dead job; raises `NotFound`."""
    return await _take_dead(session, caller, "job.discard", job_id)


async def _take_dead(session: AsyncSession, caller: Principal, action: str, job_id: UUID) -> job_queue.DeadJob:
    job = await job_queue.take_dead_job(session, job_id)
    if job is None:
        raise NotFound
    facts: dict[str, Any] = {"name": job.name, "attempts": job.attempts, "died_at": job.died_at}
    await audit.record(session, caller, action, "JOB", job_id, before=facts)
    return job
