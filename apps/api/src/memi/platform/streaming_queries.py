"""Reading many rows without holding them: by a cursor of the database."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession


async def rows_of(
    session: AsyncSession, statement: Select[*tuple[Any, ...]], *, most: int, batch: int
) -> AsyncGenerator[Sequence[Any]]:
    """At most `most` rows as they all were at one moment, a batch at a time."""
    result = await session.stream(statement.limit(most).execution_options(yield_per=batch))
    async for part in result.partitions():
        yield part


async def count_to(session: AsyncSession, statement: Select[*tuple[Any, ...]], most: int) -> int:
    """How many rows there are; one more than `most` for all that are more."""
    bounded = statement.order_by(None).limit(most + 1).subquery()
    return (await session.execute(select(func.count()).select_from(bounded))).scalar_one()
