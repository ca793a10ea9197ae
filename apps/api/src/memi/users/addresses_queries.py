"""Every statement of the address book."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from memi.users.models import UserAddress


async def own(session: AsyncSession, user_id: UUID, address_id: UUID) -> UserAddress | None:
    """The person's address, as it is now."""
    return await session.scalar(
        select(UserAddress)
        .where(UserAddress.id == address_id, UserAddress.user_id == user_id)
        .execution_options(populate_existing=True)
    )


async def count(session: AsyncSession, user_id: UUID) -> int:
    counted = select(func.count()).select_from(UserAddress).where(UserAddress.user_id == user_id)
    return (await session.execute(counted)).scalar_one()


async def page(session: AsyncSession, user_id: UUID, before: UUID | None, limit: int) -> Sequence[UserAddress]:
    """Newest first; ids are time-ordered."""
    statement = select(UserAddress).where(UserAddress.user_id == user_id)
    if before is not None:
        statement = statement.where(UserAddress.id < before)
    return (await session.scalars(statement.order_by(UserAddress.id.desc()).limit(limit))).all()


async def unset_default(session: AsyncSession, user_id: UUID) -> None:
    """No address of the person's is the default any more, so that another can be."""
    await session.execute(
        update(UserAddress)
        .where(UserAddress.user_id == user_id, UserAddress.is_default)
        .values(is_default=False)
        .execution_options(synchronize_session=False)
    )


async def default_newest(session: AsyncSession, user_id: UUID) -> None:
    """Make the newest address, if there is any, the default; there must be none."""
    newest = (
        select(UserAddress.id)
        .where(UserAddress.user_id == user_id)
        .order_by(UserAddress.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    await session.execute(
        update(UserAddress)
        .where(UserAddress.id == newest)
        .values(is_default=True)
        .execution_options(synchronize_session=False)
    )
