"""Every statement of the catalogue: one read of everything, the brand search, and the writes of seeding."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, func, literal_column, or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import Text

from memi.catalog.models import Brand, Category, CategoryEdit, ReferenceState
from memi.platform.database import Base
from memi.platform.hot_pool import HotPool, HotStatement

EDITION = "edition"
"""The row of `reference_state` that triggers rewrite whenever anything of the catalogue changes."""
BUNDLED = "bundled"
"""The row of `reference_state` with the hash of the data files that were written last."""

TREE_LOCK = 7236422
"""Held by whoever writes the reference data, or edits the tree of categories."""
_SIMILAR_ENOUGH = 0.35  # two letters swapped in a word of four

READ_EDITION = HotStatement(select(ReferenceState.content_hash).where(ReferenceState.name == EDITION))

# One statement, so that all tables are of the same moment; one JSON value, so that it is one round trip.
READ_ALL = HotStatement(
    text(
        """
        SELECT CAST(json_build_object(
            'edition', (SELECT content_hash FROM reference_state WHERE name = 'edition'),
            'categories', (SELECT coalesce(json_agg(t ORDER BY t.position, t.slug), '[]') FROM categories t),
            'brands', (SELECT coalesce(json_agg(t ORDER BY t.name, t.slug), '[]') FROM brands t),
            'sizes', (SELECT coalesce(json_agg(t ORDER BY t.position, t.code), '[]') FROM sizes t),
            'colors', (SELECT coalesce(json_agg(t ORDER BY t.position, t.code), '[]') FROM colors t),
            'materials', (SELECT coalesce(json_agg(t ORDER BY t.position, t.code), '[]') FROM materials t),
            'conditions', (SELECT coalesce(json_agg(t ORDER BY t.position, t.code), '[]') FROM conditions t),
            'cities', (SELECT coalesce(json_agg(t ORDER BY t.position, t.code), '[]') FROM cities t)
        ) AS text) AS everything
        """
    )
)


async def read_edition(pool: HotPool) -> str | None:
    rows = await pool.run(READ_EDITION)
    return rows[0]["content_hash"] if rows else None


async def read_all(pool: HotPool) -> str:
    """The whole catalogue as JSON in the shape of `CatalogRows`."""
    return (await pool.run(READ_ALL))[0]["everything"]


def _brand_search() -> Select[str, str]:
    """Spellings that begin with the text first, then those that are nearly it."""
    wanted = bindparam("wanted", type_=Text)
    begins = or_(
        func.starts_with(Brand.folded, wanted),
        func.strpos(Brand.folded, literal_column("E'\\n'", Text).concat(wanted)) > 0,
    )
    likeness = func.word_similarity(wanted, Brand.folded)
    return (
        select(Brand.slug, Brand.name)
        .where(or_(begins, likeness >= _SIMILAR_ENOUGH))
        .order_by(begins.desc(), likeness.desc(), func.similarity(wanted, Brand.folded).desc(), Brand.name, Brand.slug)
        .limit(bindparam("most"))
    )


SEARCH_BRANDS = HotStatement(_brand_search())


async def search_brands(pool: HotPool, folded: str, most: int) -> list[tuple[str, str]]:
    """(slug, name) of at most `most` brands that `folded` begins or nearly spells, the likeliest first."""
    rows = await pool.run(SEARCH_BRANDS, wanted=folded, most=most)
    return [(row["slug"], row["name"]) for row in rows]


async def lock_seeding(connection: AsyncConnection) -> None:
    """Of two processes that seed at once the second waits, and then finds nothing to do."""
    await connection.execute(select(func.pg_advisory_xact_lock(TREE_LOCK)))


async def bundled_hash(connection: AsyncConnection) -> str | None:
    return await connection.scalar(select(ReferenceState.content_hash).where(ReferenceState.name == BUNDLED))


async def set_bundled_hash(connection: AsyncConnection, content_hash: str) -> None:
    await upsert(connection, ReferenceState, "name", [{"name": BUNDLED, "content_hash": content_hash}])


async def category_ids(connection: AsyncConnection) -> dict[str, UUID]:
    """Present categories, id by slug."""
    rows = await connection.execute(select(Category.slug, Category.id))
    return {row.slug: row.id for row in rows}


async def edited_slugs(connection: AsyncConnection) -> set[str]:
    """Categories that administrators changed, made or deleted."""
    return set((await connection.execute(select(CategoryEdit.slug))).scalars())


async def upsert(connection: AsyncConnection, table: type[Base], key: str, rows: Sequence[dict[str, Any]]) -> None:
    """Insert `rows`, or overwrite those whose `key` is there, in one statement; other rows stay as they are."""
    statement = insert(table).values(list(rows))
    replaced = {name: statement.excluded[name] for name in rows[0] if name not in (key, "id")}
    await connection.execute(statement.on_conflict_do_update(index_elements=[key], set_=replaced))
