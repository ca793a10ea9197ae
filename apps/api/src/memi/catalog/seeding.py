"""Writes the bundled reference data into the tables, after migrations. Changes nothing when it is up to date.

Rows are found by their code or slug and overwritten, but for categories that an administrator edited, made or deleted:
those stay as they were left. Nothing is ever deleted, because listings may point at it.
"""

from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import pool
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from memi.catalog import queries
from memi.catalog.models import Brand, Category, City, Color, Condition, Material, Size
from memi.catalog.reference import Brand as BrandData
from memi.catalog.reference import Reference, content_hash, load_reference, walk
from memi.platform.database import driver_url
from memi.platform.folding import fold
from memi.platform.ids import new_id


async def seed(url: str) -> bool:
    """Bring the tables to the bundled data, all or nothing, over a connection of its own; whether anything changed."""
    engine = create_async_engine(driver_url(url), poolclass=pool.NullPool)
    try:
        async with engine.begin() as connection:
            await queries.lock_seeding(connection)
            if await queries.bundled_hash(connection) == content_hash():
                return False
            await write(connection, load_reference())
            await queries.set_bundled_hash(connection, content_hash())
            return True
    finally:
        await engine.dispose()


async def write(connection: AsyncConnection, reference: Reference) -> None:
    """One statement per table."""
    present, edited = await queries.category_ids(connection), await queries.edited_slugs(connection)
    categories = _category_rows(reference, present, edited)
    if categories:
        await queries.upsert(connection, Category, "slug", categories)
    await queries.upsert(connection, Brand, "slug", [_brand_row(brand) for brand in reference.brands])
    await queries.upsert(connection, Size, "code", _rows(reference.sizes))
    for table, entries in (
        (Color, reference.colors),
        (Material, reference.materials),
        (Condition, reference.conditions),
        (City, reference.cities),
    ):
        rows = [{**row, "position": position} for position, row in enumerate(_rows(entries))]
        await queries.upsert(connection, table, "code", rows)


def _rows(entries: tuple[msgspec.Struct, ...]) -> list[dict[str, Any]]:
    return [msgspec.to_builtins(entry) for entry in entries]


def _category_rows(reference: Reference, present: dict[str, UUID], edited: set[str]) -> list[dict[str, Any]]:
    """Without those that an administrator has edited, nor what would be below one that an administrator deleted."""
    ids = dict(present)
    rows: list[dict[str, Any]] = []
    for node in walk(reference.categories):
        slug, parent = node.category.slug, node.parent
        if slug in edited or (parent is not None and parent.slug not in ids):
            continue
        ids.setdefault(slug, new_id())
        rows.append(
            {
                "id": ids[slug],
                "slug": slug,
                "parent_id": ids[parent.slug] if parent else None,
                "name": msgspec.to_builtins(node.category.name),
                "position": node.position,
                "size_group": node.category.size_group,
                "attributes": msgspec.to_builtins(node.category.attributes),
            }
        )
    return rows


def _brand_row(brand: BrandData) -> dict[str, Any]:
    spellings = dict.fromkeys(fold(spelling).strip() for spelling in (brand.name, *brand.aliases))
    return {"slug": brand.slug, "name": brand.name, "folded": "\n".join(spellings)}
