"""Reading one page of a collection of staff."""

from typing import Any, TypeVar

from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.paging import MOST, Found, Place

T = TypeVar("T")


async def page_of(
    session: AsyncSession, statement: Select[T], place: Place, *sort: Any, newest_first: bool = True
) -> Found[T]:
    """The rows of `statement`, of one value each, at `place`, sorted by columns whose values are the place's cursor."""
    found = await rows_of_page(session, statement, place, *sort, newest_first=newest_first)
    return Found([row[0] for row in found.rows], found.more, found.counted)


async def rows_of_page(
    session: AsyncSession, statement: Select[*tuple[Any, ...]], place: Place, *sort: Any, newest_first: bool = True
) -> Found[Any]:
    """As `page_of`, for rows of several values."""
    counted = None
    if place.total:
        bounded = statement.with_only_columns(*sort, maintain_column_froms=True).order_by(None).limit(MOST + 1)
        counted = await session.scalar(select(func.count()).select_from(bounded.subquery()))
    if place.after is not None:
        here = tuple_(*sort)
        statement = statement.where(here < place.after if newest_first else here > place.after)
    order = [column.desc() for column in sort] if newest_first else list(sort)
    statement = statement.order_by(None).order_by(*order).limit(place.limit + 1).offset(place.offset or None)
    rows = (await session.execute(statement.execution_options(populate_existing=True))).all()
    return Found(rows[: place.limit], len(rows) > place.limit, counted)
