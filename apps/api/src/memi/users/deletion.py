"""How an account goes, comes back within its days, and is erased."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.errors import NotFound
from memi.platform.events import publish
from memi.platform.settings import Settings
from memi.platform.unit_of_work import adapters_of
from memi.users import deletion_queries, queries
from memi.users.errors import RestoreTooLate
from memi.users.events import SessionsEnded, UserDeleted, UserErased, UserRestored
from memi.users.models import User


async def delete(session: AsyncSession, user_id: UUID) -> User:
    """Take an account away: nobody sees it, its sessions end, and after some days it is erased.

    Raises `NotFound` when it is deleted already.
    """
    user = await queries.lock(session, user_id)
    if user is None or user.deleted_at is not None:
        raise NotFound
    await deletion_queries.mark_deleted(session, user, adapters_of(session).get(Settings).account_undo_days)
    publish(session, UserDeleted(user.id))
    publish(session, SessionsEnded(user.id, None))
    return user


async def restore(session: AsyncSession, user_id: UUID) -> User:
    """Give a deleted account back as it was; its old sessions stay ended.

    Raises `NotFound` when it is not deleted, `RestoreTooLate` once its days are over, erased already or not.
    """
    user = await queries.lock(session, user_id)
    if user is None or user.deleted_at is None:
        raise NotFound
    if not await deletion_queries.mark_restored(session, user):
        raise RestoreTooLate
    publish(session, UserRestored(user.id))
    return user


async def claim_erasable(session: AsyncSession) -> User | None:
    """An account whose days are over by the database's clock, locked; those others are at work on are left to them."""
    return await deletion_queries.claim_erasable(session)


async def finish_erasure(session: AsyncSession, user: User) -> None:
    """Write down that it is done, after every feature erased what it keeps. The account must be locked."""
    await deletion_queries.mark_erased(session, user)
    publish(session, UserErased(user.id))
