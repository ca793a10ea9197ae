"""Statements of deleting, restoring and erasing accounts. The clock is the database's."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from memi.users.models import User


async def mark_deleted(session: AsyncSession, user: User, undo_days: int) -> None:
    """The epoch ends every session; the account must be locked."""
    await session.execute(
        update(User)
        .where(User.id == user.id)
        .values(
            deleted_at=func.now(),
            erase_after=func.now() + func.make_interval(0, 0, 0, undo_days),
            epoch=User.epoch + 1,
            version=User.version + 1,
        )
        .execution_options(synchronize_session=False)
    )
    await session.refresh(user)


async def mark_restored(session: AsyncSession, user: User) -> bool:
    """False, and nothing changed, when its days are over. The account must be locked."""
    # statement_timestamp: waiting for the lock may have taken it past its end.
    statement = (
        update(User)
        .where(User.id == user.id, User.erased_at.is_(None), User.erase_after > func.statement_timestamp())
        .values(deleted_at=None, erase_after=None, version=User.version + 1)
        .returning(User.id)
        .execution_options(synchronize_session=False)
    )
    restored = (await session.execute(statement)).first() is not None
    await session.refresh(user)
    return restored


def _to_erase() -> ColumnElement[bool]:
    return and_(User.erase_after <= func.now(), User.erased_at.is_(None))


async def next_erasable(session: AsyncSession, excluding: Collection[UUID]) -> UUID | None:
    statement = select(User.id).where(_to_erase(), User.id.not_in(excluding)).order_by(User.erase_after).limit(1)
    return await session.scalar(statement)


async def lock_erasable(session: AsyncSession, user_id: UUID) -> User | None:
    statement = select(User).where(User.id == user_id, _to_erase()).with_for_update(skip_locked=True)
    return await session.scalar(statement.execution_options(populate_existing=True))


async def mark_erased(session: AsyncSession, user: User) -> None:
    await session.execute(
        update(User)
        .where(User.id == user.id)
        .values(erased_at=func.now(), version=User.version + 1)
        .execution_options(synchronize_session=False)
    )
    await session.refresh(user)
