"""Reading one page of a collection of staff."""

from typing import Any, TypeVar

from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.paging import MOST, Found, Place

T = TypeVar("T")


async def page_of(
    session: AsyncSession, statement: Select[T], place: Place, *sort: Any, newest_first: bool = True
) -> Found[T]:
    """The rows of `statement` at `place`, sorted by the columns `sort`, whose values are the place's cursor."""
    counted = None
    if place.total:
        bounded = statement.order_by(None).limit(MOST + 1).subquery()
        counted = await session.scalar(select(func.count()).select_from(bounded))
    if place.after is not None:
        here = tuple_(*sort)
        statement = statement.where(here < place.after if newest_first else here > place.after)
    order = [column.desc() for column in sort] if newest_first else list(sort)
    statement = statement.order_by(*order).limit(place.limit + 1).offset(place.offset or None)
    rows = (await session.scalars(statement)).all()
    return Found(rows[: place.limit], len(rows) > place.limit, counted)
