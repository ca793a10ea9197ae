"""Reference data reaches the tables once, and leaves alone what people made there."""

import asyncio

from memi.catalog import seeding
from memi.catalog.reference import load_reference, walk
from memi.platform.embedded_postgres import EmbeddedUrls
from support.sql import Sql

COUNTS = {
    "brands": len(load_reference().brands),
    "sizes": len(load_reference().sizes),
    "colors": len(load_reference().colors),
    "materials": len(load_reference().materials),
    "conditions": len(load_reference().conditions),
    "cities": len(load_reference().cities),
    "categories": len(list(walk(load_reference().categories))),
}


async def edition(sql: Sql) -> str:
    return await sql.value("SELECT content_hash FROM reference_state WHERE name = 'edition'")


async def forget(sql: Sql) -> None:
    """As if an older version of memi had seeded this database."""
    await sql.execute("UPDATE reference_state SET content_hash = 'older' WHERE name = 'bundled'")


async def test_everything_is_there(sql: Sql) -> None:
    for table, count in COUNTS.items():
        assert await sql.value(f"SELECT count(*) FROM {table}") == count
    leaf = await sql.rows(
        "SELECT p.slug AS parent FROM categories c JOIN categories p ON p.id = c.parent_id "
        "WHERE c.slug = 'women-clothes-dresses-casual'"
    )
    assert leaf == [{"parent": "women-clothes-dresses"}]


async def test_a_second_time_writes_nothing(sql: Sql, database_urls: EmbeddedUrls) -> None:
    before = await edition(sql)
    assert await seeding.seed(database_urls.migrator) is False
    assert await edition(sql) == before


async def test_a_new_edition_overwrites_its_own_rows_and_keeps_ids_and_what_admins_made(
    sql: Sql, database_urls: EmbeddedUrls
) -> None:
    women = await sql.value("SELECT id FROM categories WHERE slug = 'women'")
    await sql.execute(
        "INSERT INTO categories (id, slug, parent_id, name, position) "
        """VALUES (gen_random_uuid(), 'women-vintage', $1, '{"az": "V", "en": "V", "ru": "V"}', 99)""",
        women,
    )
    await sql.execute("""UPDATE colors SET name = '{"az": "?", "en": "?", "ru": "?"}'""")
    await forget(sql)
    assert await seeding.seed(database_urls.migrator) is True
    assert await sql.value("SELECT id FROM categories WHERE slug = 'women'") == women
    assert await sql.value("SELECT parent_id FROM categories WHERE slug = 'women-vintage'") == women
    assert await sql.value("SELECT count(*) FROM colors WHERE name ->> 'en' = '?'") == 0
    await sql.execute("DELETE FROM categories WHERE slug = 'women-vintage'")


async def test_two_processes_at_once_seed_once(sql: Sql, database_urls: EmbeddedUrls) -> None:
    await forget(sql)
    wrote = await asyncio.gather(*(seeding.seed(database_urls.migrator) for _ in range(3)))
    assert sorted(wrote) == [False, False, True]


async def test_every_change_makes_a_new_edition(sql: Sql) -> None:
    before = await edition(sql)
    await sql.execute("UPDATE cities SET lat = lat WHERE code = 'BAKU'")
    assert await edition(sql) != before
