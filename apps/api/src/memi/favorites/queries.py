"""Every statement of the favorites feature, and the clause it lends to those above."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, delete, exists, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from memi.favorites.models import Favorite


def is_favorite_of(
    user: UUID | BindParameter[UUID], listing_id: InstrumentedAttribute[UUID] | ColumnElement[UUID]
) -> ColumnElement[bool]:
    """Lent clause: whether `user` likes the listing of the outer row."""
    return exists().where(Favorite.user_id == user, Favorite.listing_id == listing_id)


async def add(session: AsyncSession, user_id: UUID, listing_id: UUID) -> bool:
    """Whether the row is new."""
    statement = insert(Favorite).values(user_id=user_id, listing_id=listing_id).on_conflict_do_nothing()
    return (await session.execute(statement.returning(Favorite.listing_id))).first() is not None


async def drop(session: AsyncSession, user_id: UUID, listing_id: UUID) -> bool:
    """Whether there was a row."""
    statement = (
        delete(Favorite)
        .where(Favorite.user_id == user_id, Favorite.listing_id == listing_id)
        .returning(Favorite.listing_id)
    )
    return (await session.execute(statement)).first() is not None


async def drop_all(session: AsyncSession, user_id: UUID) -> Sequence[UUID]:
    """The listings that the person liked until now."""
    statement = delete(Favorite).where(Favorite.user_id == user_id).returning(Favorite.listing_id)
    return (await session.scalars(statement.execution_options(synchronize_session=False))).all()


async def of_user(
    session: AsyncSession, user_id: UUID, before: tuple[datetime, UUID] | None, limit: int
) -> list[tuple[UUID, datetime]]:
    """(listing, since when), the latest first."""
    statement = select(Favorite.listing_id, Favorite.created_at).where(Favorite.user_id == user_id)
    if before is not None:
        statement = statement.where(tuple_(Favorite.created_at, Favorite.listing_id) < tuple_(*before))
    statement = statement.order_by(Favorite.created_at.desc(), Favorite.listing_id.desc()).limit(limit)
    return [(row.listing_id, row.created_at) for row in await session.execute(statement)]


async def users_of(session: AsyncSession, listing_id: UUID, after: UUID | None, limit: int) -> Sequence[UUID]:
    """Whoever likes the listing, by key, following `after`."""
    statement = select(Favorite.user_id).where(Favorite.listing_id == listing_id)
    if after is not None:
        statement = statement.where(Favorite.user_id > after)
    return (await session.scalars(statement.order_by(Favorite.user_id).limit(limit))).all()
