"""Removing a row unless others refer to it: foreign keys know every reference that there will ever be."""

from sqlalchemy import Delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.database import Base

# PostgreSQL 18 tells a RESTRICT from other foreign keys.
_REFERRED_TO = ("23503", "23001")


async def remove(session: AsyncSession, row: Base, statement: Delete) -> bool:
    """Remove `row` by its statement; False, and nothing changed, while something refers to it."""
    try:
        async with session.begin_nested():
            await session.execute(statement.execution_options(synchronize_session=False))
    except IntegrityError as error:
        if getattr(error.orig, "sqlstate", None) not in _REFERRED_TO:
            raise
        return False
    session.expunge(row)
    return True
