"""How an account goes, comes back within its days, and is erased."""

from collections.abc import Collection
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
from memi.users.roles import keep_an_admin


async def delete(session: AsyncSession, user_id: UUID) -> User:
    """Take an account away: nobody sees it, its sessions end, and after some days it is erased.

    Raises `NotFound` when it is deleted already, `LastAdmin`.
    """
    user = await queries.lock(session, user_id)
    if user is None or user.deleted_at is not None:
        raise NotFound
    await keep_an_admin(session, user)
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


async def next_erasable(session: AsyncSession, excluding: Collection[UUID]) -> UUID | None:
    """The account whose days have been over for longest by the database's clock, but for some; nothing is locked."""
    return await deletion_queries.next_erasable(session, excluding)


async def lock_erasable(session: AsyncSession, user_id: UUID) -> User | None:
    """The account, locked, if it is still to be erased; one that somebody else is at work on is left to them."""
    return await deletion_queries.lock_erasable(session, user_id)


async def finish_erasure(session: AsyncSession, user: User) -> None:
    """Write down that it is done, after every feature erased what it keeps. The account must be locked."""
    await deletion_queries.mark_erased(session, user)
    publish(session, UserErased(user.id))
