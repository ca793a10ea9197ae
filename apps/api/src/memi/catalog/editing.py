"""Editing the tree of categories: one administrator at a time, checked whole, and told to every process."""

from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from memi.catalog import editing_queries as queries
from memi.catalog import service
from memi.catalog.editing_schemas import AttributeInput, CategoryCreate, CategoryUpdate, EditedCategory
from memi.catalog.errors import CategoryHasChildren, CategoryIsMoving, CategoryIsTarget, SlugTaken, TooManyCategories
from memi.catalog.events import CategoryChanged
from memi.catalog.models import Category
from memi.catalog.reference import Attribute, AttributeOption, Translated
from memi.catalog.tree import MOST, Tree
from memi.platform.errors import NotFound, StaleVersion, ValidationFailed
from memi.platform.events import publish
from memi.platform.ids import new_id

_SHOWN = frozenset({"parent_id", "name", "attributes"})
"""What cards are made from."""
_NEVER_NULL = ("name", "position", "attributes")


class Editor:
    """The tree, locked until the end of the unit of work unless it is only read."""

    def __init__(self, session: AsyncSession, rows: list[Category]) -> None:
        self._session = session
        self._rows = rows
        self._by_slug = {row.slug: row for row in rows}
        self._slugs = {row.id: row.slug for row in rows}

    @classmethod
    async def open(cls, session: AsyncSession, *, to_read: bool = False) -> "Editor":
        if not to_read:
            await queries.lock_tree(session)
        return cls(session, list(await queries.tree(session)))

    def get(self, slug: str, expected: int | None = None) -> Category:
        """Raises `NotFound`, `StaleVersion`."""
        row = self._by_slug.get(slug.lower())
        if row is None:
            raise NotFound
        if expected is not None and expected != row.version:
            raise StaleVersion
        return row

    def read(self, row: Category) -> EditedCategory:
        return EditedCategory(
            id=row.id,
            slug=row.slug,
            parent=self._slugs[row.parent_id] if row.parent_id else None,
            name=row.name,
            position=row.position,
            image_url=row.image_url,
            size_group=row.size_group,
            attributes=row.attributes,
            moving_to=self._slugs[row.moving_to] if row.moving_to else None,
            version=row.version,
        )

    async def create(self, data: CategoryCreate) -> Category:
        """Raises `SlugTaken`, `TooManyCategories`, `ValidationFailed`."""
        if data.slug in self._by_slug:
            raise SlugTaken
        if len(self._rows) >= MOST:
            raise TooManyCategories
        parent_id = self._parent(data.parent)
        siblings = [row.position for row in self._rows if row.parent_id == parent_id]
        row = Category(
            id=new_id(),
            slug=data.slug,
            parent_id=parent_id,
            name=data.name.model_dump(),
            position=data.position if data.position is not None else max(siblings, default=-1) + 1,
            image_url=data.image_url,
            size_group=data.size_group,
            attributes=stored(data.attributes),
            version=1,
        )
        self._rows.append(row)
        await self._check(row)
        self._session.add(row)
        self._by_slug[row.slug], self._slugs[row.id] = row, row.slug
        await self._written(row)
        return row

    async def change(self, row: Category, data: CategoryUpdate) -> bool:
        """Apply a merge patch; whether anything changed. Raises `CategoryIsMoving`, `ValidationFailed`."""
        if row.moving_to is not None:
            raise CategoryIsMoving
        given = data.model_fields_set - {"reason"}
        for name in _NEVER_NULL:
            if name in given and getattr(data, name) is None:
                raise ValidationFailed.of(f"/{name}", "required", "This field cannot be empty.")
        columns: dict[str, Any] = {
            name: getattr(data, name) for name in given & {"position", "image_url", "size_group"}
        }
        if data.name is not None:
            columns["name"] = data.name.model_dump()
        if data.attributes is not None:
            columns["attributes"] = stored(data.attributes)
        if "parent" in given:
            columns["parent_id"] = self._parent(data.parent)
            if Tree(self._rows).is_within(columns["parent_id"], row.id):
                raise ValidationFailed.of("/parent", "cycle", "A category cannot be within itself.")
        changed = {name: value for name, value in columns.items() if getattr(row, name) != value}
        if not changed:
            return False
        with self._session.no_autoflush:
            for name, value in changed.items():
                setattr(row, name, value)
            await self._check(row)
        row.version += 1
        await self._written(row)
        if changed.keys() & _SHOWN:
            publish(self._session, CategoryChanged(row.id))
        return True

    async def retire(self, row: Category, target: Category | None) -> None:
        """Have its listings go to another one: nobody chooses it any more. Without `target` it is only checked.

        Raises `CategoryHasChildren`, `CategoryIsTarget`, and `ValidationFailed` for a target that is no other leaf.
        """
        tree = Tree(self._rows)
        if tree.children(row.id):
            raise CategoryHasChildren
        if any(item.moving_to == row.id for item in self._rows):
            raise CategoryIsTarget
        if target is None:
            return
        if target.id == row.id or tree.children(target.id) or target.moving_to is not None:
            raise ValidationFailed.of("/move_to", "not_a_leaf", "Must be another category without any within it.")
        row.moving_to = target.id
        row.version += 1
        await self._written(row)

    def target(self, slug: str) -> Category:
        """Raises `ValidationFailed`."""
        row = self._by_slug.get(slug)
        if row is None:
            raise ValidationFailed.of("/move_to", "unknown_value", "There is no such category.")
        return row

    def _parent(self, slug: str | None) -> UUID | None:
        if slug is None:
            return None
        row = self._by_slug.get(slug)
        if row is None or row.moving_to is not None:
            raise ValidationFailed.of("/parent", "unknown_value", "There is no such category.")
        return row.id

    async def _check(self, row: Category) -> None:
        snapshot = await service.snapshot(self._session)
        groups = {group for size in snapshot.sizes for group in size.groups}
        errors = Tree(self._rows).check(row, groups)
        if errors:
            raise ValidationFailed(errors)

    async def _written(self, row: Category) -> None:
        await self._session.flush()
        await queries.remember_edit(self._session, row.slug)
        service.changed(self._session)


async def remove(session: AsyncSession, row: Category) -> bool:
    """Delete a locked category; False, and nothing changed, while a listing is in it."""
    slug = row.slug
    if not await queries.remove(session, row):
        return False
    await queries.remember_edit(session, slug)
    service.changed(session)
    return True


async def lock_moving(session: AsyncSession, category_id: UUID) -> Category | None:
    """The category, locked, if its listings are being moved."""
    return await queries.lock_moving(session, category_id)


async def moving(session: AsyncSession) -> list[UUID]:
    """Categories whose listings are being moved."""
    return list(await queries.moving(session))


def stored(attributes: list[AttributeInput]) -> list[dict[str, Any]]:
    """As the table has them, whoever wrote them."""
    made = [
        Attribute(
            key=item.key,
            type=item.type,
            label=_text(item.label.model_dump()),
            filterable=item.filterable,
            required=item.required,
            unit=item.unit,
            options=tuple(AttributeOption(code=o.code, label=_text(o.label.model_dump())) for o in item.options),
        )
        for item in attributes
    ]
    return msgspec.to_builtins(made)


def _text(words: dict[str, str]) -> Translated:
    return Translated(az=words["az"], en=words["en"], ru=words["ru"])
