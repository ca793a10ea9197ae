"""Statements of giving people what is kept of them and of erasing it."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from memi.analytics.models import UserDay


async def days_of(session: AsyncSession, user_id: UUID, after: date | None, limit: int) -> Sequence[date]:
    statement = select(UserDay.day).where(UserDay.user_id == user_id).order_by(UserDay.day).limit(limit)
    if after is not None:
        statement = statement.where(UserDay.day > after)
    return (await session.scalars(statement)).all()


async def forget(session: AsyncSession, user_id: UUID) -> None:
    """What was counted stays: it names nobody."""
    await session.execute(delete(UserDay).where(UserDay.user_id == user_id))
