"""Statements of rebuilding the read model."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, delete, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.ids import new_id
from memi.search.models import SearchEvent, SearchReplay


async def add(session: AsyncSession, values: dict[str, Any]) -> UUID | None:
    """The new replay's id; None while one of everything is under way and another such one is asked for."""
    statement = (
        insert(SearchReplay)
        .values(id=new_id(), **values)
        .on_conflict_do_nothing(
            index_elements=[SearchReplay.scope], index_where=text("scope = 'all' AND finished_at IS NULL")
        )
        .returning(SearchReplay.id)
    )
    return await session.scalar(statement)


async def whole_under_way(session: AsyncSession) -> UUID | None:
    statement = select(SearchReplay.id).where(SearchReplay.scope == "all", SearchReplay.finished_at.is_(None))
    return await session.scalar(statement)


async def by_id(session: AsyncSession, replay_id: UUID) -> SearchReplay | None:
    return await session.get(SearchReplay, replay_id, populate_existing=True)


async def lock(session: AsyncSession, replay_id: UUID) -> SearchReplay | None:
    """The replay, locked until the end of the unit of work: of two workers at it one goes on after the other."""
    statement = select(SearchReplay).where(SearchReplay.id == replay_id).with_for_update()
    return await session.scalar(statement.execution_options(populate_existing=True))


async def advance(session: AsyncSession, replay: SearchReplay, handled: Sequence[UUID]) -> None:
    """Write down how far it is; nothing handled means that it is finished. The replay must be locked."""
    values: dict[str, Any] = {"touched_at": func.clock_timestamp()}
    if handled:
        values |= {"done_to": handled[-1], "handled": SearchReplay.handled + len(handled)}
    else:
        values["finished_at"] = func.clock_timestamp()
    await session.execute(
        update(SearchReplay)
        .where(SearchReplay.id == replay.id)
        .values(values)
        .execution_options(synchronize_session=False)
    )


async def changed_since(session: AsyncSession, since: datetime, after: UUID | None, limit: int) -> Sequence[UUID]:
    """Listings that were told of since then, in the order of their ids."""
    statement = select(SearchEvent.listing_id).distinct().where(SearchEvent.created_at >= since)
    if after is not None:
        statement = statement.where(SearchEvent.listing_id > after)
    return (await session.scalars(statement.order_by(SearchEvent.listing_id).limit(limit))).all()


async def is_older(session: AsyncSession, moment: datetime, than: timedelta) -> bool:
    """By the database's clock."""
    return bool(await session.scalar(select(func.now() - than > literal(moment, DateTime(timezone=True)))))


async def unfinished(session: AsyncSession, most: int) -> int:
    """How many there are, counted to `most`."""
    waiting = select(SearchReplay.id).where(SearchReplay.finished_at.is_(None)).limit(most).subquery()
    return (await session.execute(select(func.count()).select_from(waiting))).scalar_one()


async def stalled(session: AsyncSession, older_than: timedelta, limit: int) -> Sequence[UUID]:
    """Unfinished ones that nobody has worked on for so long."""
    statement = (
        select(SearchReplay.id)
        .where(SearchReplay.finished_at.is_(None), SearchReplay.touched_at < func.now() - older_than)
        .order_by(SearchReplay.touched_at)
        .limit(limit)
    )
    return (await session.scalars(statement)).all()


async def prune(session: AsyncSession, older_than: timedelta) -> None:
    """Forget those that were finished long ago."""
    old = SearchReplay.finished_at < func.now() - older_than
    await session.execute(delete(SearchReplay).where(old).execution_options(synchronize_session=False))


def next_of(listing_ids: Collection[UUID], after: UUID | None, limit: int) -> list[UUID]:
    """The next of a list that was given."""
    return sorted(item for item in set(listing_ids) if after is None or item > after)[:limit]
