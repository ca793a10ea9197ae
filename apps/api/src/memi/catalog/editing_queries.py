"""Statements of editing the tree of categories."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from memi.catalog.models import Category, CategoryEdit
from memi.catalog.queries import TREE_LOCK
from memi.platform import removal_queries


async def lock_tree(session: AsyncSession) -> None:
    """Nobody else edits or seeds until the end of the unit of work."""
    await session.execute(select(func.pg_advisory_xact_lock(TREE_LOCK)))


async def tree(session: AsyncSession) -> Sequence[Category]:
    """Every category, in display order."""
    statement = select(Category).order_by(Category.position, Category.slug)
    return (await session.scalars(statement.execution_options(populate_existing=True))).all()


async def lock_moving(session: AsyncSession, category_id: UUID) -> Category | None:
    """The category whose listings are being moved; nobody can put another one into it meanwhile."""
    statement = select(Category).where(Category.id == category_id, Category.moving_to.is_not(None)).with_for_update()
    return await session.scalar(statement.execution_options(populate_existing=True))


async def moving(session: AsyncSession) -> Sequence[UUID]:
    return (await session.scalars(select(Category.id).where(Category.moving_to.is_not(None)))).all()


async def remember_edit(session: AsyncSession, slug: str) -> None:
    """From now on the bundled data leaves it alone."""
    statement = insert(CategoryEdit).values(slug=slug)
    await session.execute(
        statement.on_conflict_do_update(index_elements=[CategoryEdit.slug], set_={"edited_at": func.now()})
    )


async def remove(session: AsyncSession, category: Category) -> bool:
    """False, and nothing changed, while something refers to it."""
    return await removal_queries.remove(session, category, delete(Category).where(Category.id == category.id))
