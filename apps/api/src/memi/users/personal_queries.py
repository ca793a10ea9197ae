"""Statements of giving people their data and of erasing it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from memi.users.models import DELETED_NAME, SellerStats, User, UserAddress, UserBlock


async def account(session: AsyncSession, user_id: UUID) -> tuple[User, SellerStats | None] | None:
    row = (
        await session.execute(
            select(User, SellerStats)
            .outerjoin(SellerStats, SellerStats.user_id == User.id)
            .where(User.id == user_id)
            .execution_options(populate_existing=True)
        )
    ).first()
    return None if row is None else (row[0], row[1])


async def addresses(session: AsyncSession, user_id: UUID, after: UUID | None, limit: int) -> Sequence[UserAddress]:
    statement = select(UserAddress).where(UserAddress.user_id == user_id).order_by(UserAddress.id).limit(limit)
    if after is not None:
        statement = statement.where(UserAddress.id > after)
    return (await session.scalars(statement)).all()


async def blocked_by(
    session: AsyncSession, user_id: UUID, after: UUID | None, limit: int
) -> Sequence[tuple[User, datetime]]:
    """Whom the person blocked, and when."""
    statement = (
        select(User, UserBlock.created_at)
        .join(UserBlock, UserBlock.blocked_id == User.id)
        .where(UserBlock.blocker_id == user_id)
        .order_by(UserBlock.blocked_id)
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(UserBlock.blocked_id > after)
    return [(row[0], row[1]) for row in await session.execute(statement)]


async def anonymise(session: AsyncSession, user_id: UUID) -> None:
    """Nothing of the row says any more who it was; what staff decided about it stays."""
    for statement in (
        delete(UserAddress).where(UserAddress.user_id == user_id),
        delete(UserBlock).where(or_(UserBlock.blocker_id == user_id, UserBlock.blocked_id == user_id)),
        delete(SellerStats).where(SellerStats.user_id == user_id),
        update(User)
        .where(User.id == user_id)
        .values(
            email=func.concat("deleted-", User.id, "@deleted.invalid"),
            email_verified_at=None,
            email_refused_at=None,
            password_hash=None,
            name=DELETED_NAME,
            bio=None,
            avatar_upload_id=None,
            avatar_url=None,
            city=None,
            phone=None,
            locale="az",
            roles=["USER"],
            show_city=False,
            show_phone=False,
            show_last_seen=False,
            searchable=False,
            last_seen_at=None,
        ),
    ):
        await session.execute(statement.execution_options(synchronize_session=False))
