"""Every statement about people who block each other, and the clauses lent to those above."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, delete, exists, func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from memi.users.models import User, UserBlock

Person = UUID | ColumnElement[UUID] | InstrumentedAttribute[UUID]


def is_block_between(one: Person, other: Person) -> ColumnElement[bool]:
    """Lent clause: whether a block stands between the two, in either direction; both parts read the index alone."""
    return or_(
        exists().where(UserBlock.blocker_id == one, UserBlock.blocked_id == other),
        exists().where(UserBlock.blocker_id == other, UserBlock.blocked_id == one),
    )


def block_between(one: str, other: str) -> str:
    """The same for statements that are written out: `one` and `other` are expressions of theirs."""
    return f"""(
        EXISTS (SELECT FROM user_blocks b WHERE b.blocker_id = {one} AND b.blocked_id = {other})
        OR EXISTS (SELECT FROM user_blocks b WHERE b.blocker_id = {other} AND b.blocked_id = {one})
    )"""  # noqa: S608  # expressions of our own statements


async def apart(session: AsyncSession, one: UUID, other: UUID) -> bool:
    """Whether a block stands between them; until the end of the unit of work none can be added."""
    return (await session.execute(select(func.people_apart(one, other)))).scalar_one()


async def hold_pair(session: AsyncSession, one: UUID, other: UUID) -> None:
    """Wait for whatever brings these two together right now, and have others wait."""
    await session.execute(select(func.pg_advisory_xact_lock(func.people_key(one, other))))


async def has(session: AsyncSession, blocker_id: UUID, blocked_id: UUID) -> bool:
    return await session.get(UserBlock, (blocker_id, blocked_id)) is not None


async def count(session: AsyncSession, blocker_id: UUID) -> int:
    counted = select(func.count()).select_from(UserBlock).where(UserBlock.blocker_id == blocker_id)
    return (await session.execute(counted)).scalar_one()


async def add(session: AsyncSession, blocker_id: UUID, blocked_id: UUID) -> None:
    await session.execute(insert(UserBlock).values(blocker_id=blocker_id, blocked_id=blocked_id))


async def drop(session: AsyncSession, blocker_id: UUID, blocked_id: UUID) -> bool:
    """Whether there was one."""
    gone = delete(UserBlock).where(UserBlock.blocker_id == blocker_id, UserBlock.blocked_id == blocked_id)
    return (await session.execute(gone.returning(UserBlock.blocked_id))).first() is not None


async def page(
    session: AsyncSession, blocker_id: UUID, before: tuple[datetime, UUID] | None, limit: int
) -> list[tuple[User, datetime]]:
    """(person, since when), the latest first. There is a limit to how many there are, so that they may be sorted."""
    statement = (
        select(User, UserBlock.created_at)
        .join(UserBlock, UserBlock.blocked_id == User.id)
        .where(UserBlock.blocker_id == blocker_id)
    )
    if before is not None:
        statement = statement.where(tuple_(UserBlock.created_at, UserBlock.blocked_id) < tuple_(*before))
    statement = statement.order_by(UserBlock.created_at.desc(), UserBlock.blocked_id.desc()).limit(limit)
    return [(row[0], row[1]) for row in await session.execute(statement)]
