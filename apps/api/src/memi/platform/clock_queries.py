"""Deadlines by the database's clock."""

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession


async def in_hours(session: AsyncSession, hours: float) -> datetime:
    """The time that many hours from now."""
    return (await session.execute(select(func.statement_timestamp() + timedelta(hours=hours)))).scalar_one()
