"""Every statement of the users feature, and the clauses it lends to those above."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, and_, false, literal, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from memi.users.blocks_queries import is_block_between
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


async def hold(session: AsyncSession, user_id: UUID) -> bool:
    """One at a time until the end of the unit of work, while rows may still point at the account; whether it stands."""
    statement = select(User.id).where(User.id == user_id, stands()).with_for_update(key_share=True)
    return await session.scalar(statement) is not None


async def standing(session: AsyncSession, user_id: UUID) -> bool:
    return await session.scalar(select(User.id).where(User.id == user_id, stands())) is not None


SAW = """
UPDATE users SET last_seen_at = now() WHERE id = (
    SELECT id FROM users
    WHERE id = :user_id AND (last_seen_at IS NULL OR last_seen_at < now() - interval '5 minutes')
    FOR NO KEY UPDATE SKIP LOCKED
)
"""
"""Lent statement: note that a person is here, unless that was noted lately or somebody holds the row: nothing waits."""
_SAW = text(SAW)


async def saw(session: AsyncSession, user_id: UUID) -> None:
    await session.execute(_SAW, {"user_id": user_id})


async def by_ids(session: AsyncSession, user_ids: Sequence[UUID]) -> Sequence[User]:
    return (await session.scalars(select(User).where(User.id.in_(user_ids)))).all()


async def by_email(session: AsyncSession, email: str) -> User | None:
    return await session.scalar(select(User).where(User.email == email))


async def profile(
    session: AsyncSession, user_id: UUID, viewer_id: UUID | None
) -> tuple[User, SellerStats | None, bool] | None:
    """A person who stands, their seller's numbers, and whether a block stands between them and the viewer."""
    apart = false() if viewer_id is None else is_block_between(User.id, literal(viewer_id))
    row = (
        await session.execute(
            select(User, SellerStats, apart.label("apart"))
            .outerjoin(SellerStats, SellerStats.user_id == User.id)
            .where(User.id == user_id, stands())
        )
    ).first()
    return None if row is None else (row[0], row[1], row[2])


async def write_reply_minutes(session: AsyncSession, minutes: Mapping[UUID, int]) -> None:
    """How long buyers typically wait for these sellers' first answer."""
    rows = [{"user_id": user_id, "reply_minutes": minutes[user_id]} for user_id in sorted(minutes)]
    statement = insert(SellerStats).values(rows)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[SellerStats.user_id],
            set_={"reply_minutes": statement.excluded.reply_minutes},
            where=SellerStats.reply_minutes.is_distinct_from(statement.excluded.reply_minutes),
        )
    )


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
