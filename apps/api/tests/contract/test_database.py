"""The database is what the models say, and can be asked fast along every relation."""

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from memi import wiring
from memi.platform.database import Base, driver_url
from memi.platform.embedded_postgres import EmbeddedUrls
from support.sql import Sql

UNINDEXED = """
SELECT c.conrelid::regclass::text AS "table", a.attname AS "column", c.conname AS "constraint"
FROM pg_constraint c
JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
WHERE c.contype = 'f' AND NOT EXISTS (
    SELECT FROM pg_index i
    WHERE i.indrelid = c.conrelid AND i.indisvalid AND i.indpred IS NULL
      AND (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey
      AND i.indkey[0] = ANY (c.conkey)
)
"""


def _is_pgqueuer(name: str | None) -> bool:
    return name is not None and "pgqueuer" in name


def _include(item: Any, name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:
    table = name if kind == "table" else getattr(getattr(item, "table", None), "name", None)
    return not _is_pgqueuer(table)


async def test_every_foreign_key_has_an_index_led_by_it(sql: Sql) -> None:
    assert await sql.value("SELECT count(*) FROM pg_constraint WHERE contype = 'f'") > 20
    assert await sql.rows(UNINDEXED) == []


async def test_the_check_above_can_fail(sql: Sql) -> None:
    await sql.execute("CREATE TABLE lonely (user_id uuid REFERENCES users (id), n int)")
    await sql.execute("CREATE INDEX ON lonely (n, user_id)")
    await sql.execute("CREATE INDEX ON lonely (user_id) WHERE n > 0")
    assert [row["table"] for row in await sql.rows(UNINDEXED)] == ["lonely"]
    await sql.execute("CREATE INDEX ON lonely (user_id, n)")
    assert await sql.rows(UNINDEXED) == []
    await sql.execute("DROP TABLE lonely")


async def test_migrations_build_exactly_what_the_models_say(database_urls: EmbeddedUrls) -> None:
    wiring.load_models()

    def compare(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True, "include_object": _include}
        )
        return compare_metadata(context, Base.metadata)

    engine = create_async_engine(driver_url(database_urls.migrator))
    async with engine.connect() as connection:
        differences = await connection.run_sync(compare)
    await engine.dispose()
    assert differences == []


async def test_the_service_owns_nothing_and_rewrites_no_log(sql: Sql) -> None:
    owned = await sql.rows("SELECT relname FROM pg_class WHERE relowner = 'memi_app'::regrole")
    assert owned == []
    assert await sql.value("SELECT has_schema_privilege('memi_app', 'public', 'CREATE')") is False
    for table in ("messages", "audit_log", "usage_events"):
        for right in ("UPDATE", "DELETE", "TRUNCATE"):
            query = "SELECT has_table_privilege('memi_app', $1, $2)"
            assert await sql.value(query, table, right) is False, f"{right} on {table}"
        assert await sql.value("SELECT has_table_privilege('memi_app', $1, 'INSERT')", table) is True
