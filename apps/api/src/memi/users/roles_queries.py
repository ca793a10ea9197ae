"""Statements about who is staff."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.permissions import Role
from memi.users.models import User
from memi.users.queries import stands

_TURNS = 7236423


async def take_turns(session: AsyncSession) -> None:
    """One at a time until the end of the unit of work."""
    await session.execute(select(func.pg_advisory_xact_lock(_TURNS)))


async def another_admin_stands(session: AsyncSession, user_id: UUID) -> bool:
    statement = select(User.id).where(User.roles.contains([str(Role.ADMIN)]), stands(), User.id != user_id).limit(1)
    return await session.scalar(statement) is not None


async def lock_together(session: AsyncSession, user_ids: Collection[UUID]) -> Sequence[User]:
    """Rows may still come to point at these accounts meanwhile."""
    statement = select(User).where(User.id.in_(user_ids)).order_by(User.id).with_for_update(key_share=True)
    return (await session.scalars(statement.execution_options(populate_existing=True))).all()
