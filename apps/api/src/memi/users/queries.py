"""Every statement of the users feature, and the clauses it lends to those above."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from memi.users.models import SellerStats, User


def stands() -> ColumnElement[bool]:
    """Lent clause: the account may act (neither blocked nor deleted)."""
    return and_(User.is_blocked.is_(False), User.deleted_at.is_(None))


async def by_id(session: AsyncSession, user_id: UUID) -> User | None:
    return await session.get(User, user_id)


async def lock(session: AsyncSession, user_id: UUID) -> User | None:
    """The account, locked until the end of the unit of work."""
    statement = select(User).where(User.id == user_id).with_for_update().execution_options(populate_existing=True)
    return await session.scalar(statement)


async def by_ids(session: AsyncSession, user_ids: Sequence[UUID]) -> Sequence[User]:
    return (await session.scalars(select(User).where(User.id.in_(user_ids)))).all()


async def by_email(session: AsyncSession, email: str) -> User | None:
    return await session.scalar(select(User).where(User.email == email))


async def search(session: AsyncSession, part: str | None, before: UUID | None, limit: int) -> Sequence[User]:
    """Accounts whose address or name contains `part`, in any case, newest first; ids are time-ordered."""
    statement = select(User).order_by(User.id.desc()).limit(limit)
    if part is not None:
        statement = statement.where(
            or_(User.email.icontains(part, autoescape=True), User.name.icontains(part, autoescape=True))
        )
    if before is not None:
        statement = statement.where(User.id < before)
    return (await session.scalars(statement)).all()


async def profile(session: AsyncSession, user_id: UUID) -> tuple[User, SellerStats | None] | None:
    """A person who stands, with their seller's numbers."""
    row = (
        await session.execute(
            select(User, SellerStats)
            .outerjoin(SellerStats, SellerStats.user_id == User.id)
            .where(User.id == user_id, stands())
        )
    ).first()
    return None if row is None else (row[0], row[1])


async def add_to_stats(session: AsyncSession, user_id: UUID, active: int, sold: int) -> None:
    """Move a seller's counters by the given differences."""
    statement = insert(SellerStats).values(
        user_id=user_id, active_listing_count=max(active, 0), sold_count=max(sold, 0)
    )
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[SellerStats.user_id],
            set_={
                "active_listing_count": SellerStats.active_listing_count + active,
                "sold_count": SellerStats.sold_count + sold,
            },
        )
    )
