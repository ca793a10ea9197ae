"""Statements of erasing what the platform itself keeps of people."""

from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.idempotency_queries import IdempotencyKey


async def erase_replies(session: AsyncSession, user_id: UUID) -> None:
    statement = delete(IdempotencyKey).where(IdempotencyKey.user_id == user_id)
    await session.execute(statement.execution_options(synchronize_session=False))
