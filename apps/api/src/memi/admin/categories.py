"""What administrators do about the tree of categories."""

from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from memi.admin.category_jobs import move_on
from memi.admin.category_jobs import start as start_moving
from memi.audit import service as audit
from memi.catalog import editing
from memi.catalog.editing import Editor
from memi.catalog.editing_schemas import (
    CategoryCreate,
    CategoryDeletion,
    CategoryGone,
    CategoryUpdate,
    EditedCategory,
)
from memi.catalog.errors import CategoryInUse
from memi.platform.principal import Principal


async def read(session: AsyncSession, slug: str) -> EditedCategory:
    """Raises `NotFound`."""
    editor = await Editor.open(session, to_read=True)
    return editor.read(editor.get(slug))


async def create(session: AsyncSession, caller: Principal, data: CategoryCreate) -> EditedCategory:
    """Raises `SlugTaken`, `TooManyCategories`, `ValidationFailed`."""
    editor = await Editor.open(session)
    made = editor.read(await editor.create(data))
    await _record(session, caller, "category.create", made.slug, data.reason, None, made)
    return made


async def change(
    session: AsyncSession, caller: Principal, slug: str, data: CategoryUpdate, expected: int | None
) -> EditedCategory:
    """Raises `NotFound`, `StaleVersion`, `CategoryIsMoving`, `ValidationFailed`."""
    editor = await Editor.open(session)
    row = editor.get(slug, expected)
    before = editor.read(row)
    if not await editor.change(row, data):
        return before
    after = editor.read(row)
    await _record(session, caller, "category.change", after.slug, data.reason, before, after)
    return after


async def delete(
    session: AsyncSession, caller: Principal, slug: str, asked: CategoryDeletion, expected: int | None
) -> CategoryGone:
    """Delete a category; its listings go to another one, the first of them now and the others by a job.

    Raises `NotFound`, `StaleVersion`, `CategoryHasChildren`, `CategoryIsTarget`, `CategoryInUse`, `ValidationFailed`.
    """
    editor = await Editor.open(session)
    row = editor.get(slug, expected)
    before = editor.read(row)
    target = None if asked.move_to is None else editor.target(asked.move_to)
    await editor.retire(row, target)
    moved = 0
    if target is None:
        if not await editing.remove(session, row):
            raise CategoryInUse
        gone = True
    else:
        moved, gone = await move_on(session, row.id)
        if not gone:
            await start_moving(session, row.id)
    reply = CategoryGone(before.slug, "DELETED" if gone else "MOVING", asked.move_to, moved)
    await _record(session, caller, "category.delete", before.slug, asked.reason, before, reply)
    return reply


async def _record(  # noqa: PLR0917  # who, did what, to what, why, from what to what
    session: AsyncSession,
    caller: Principal,
    action: str,
    slug: str,
    reason: str | None,
    before: EditedCategory | None,
    after: EditedCategory | CategoryGone,
) -> None:
    await audit.record(
        session, caller, action, "CATEGORY", slug, reason=reason, before=_facts(before), after=_facts(after)
    )


def _facts(shown: EditedCategory | CategoryGone | None) -> dict[str, Any] | None:
    return None if shown is None else msgspec.structs.asdict(shown)
