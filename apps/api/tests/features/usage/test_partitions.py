"""Events can be added to and nothing else; months come ahead of time and go whole."""

import asyncio
from datetime import UTC, date, datetime, time

import asyncpg
import pytest

from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.runtime import Runtime
from memi.usage.jobs import keep_months
from support.sql import Sql

EVENT = (
    "INSERT INTO usage_events (id, kind, visitor) VALUES (gen_random_uuid(), 'SEARCH', decode(repeat('ab', 16), 'hex'))"
)
PARTS = "SELECT inhrelid::regclass::text AS part FROM pg_inherits WHERE inhparent = 'usage_events'::regclass ORDER BY 1"


async def parts(sql: Sql) -> list[str]:
    return [row["part"] for row in await sql.rows(PARTS)]


def months(count: int, first: date) -> list[str]:
    found: list[str] = []
    for ahead in range(count):
        year, month = divmod(first.year * 12 + first.month - 1 + ahead, 12)
        found.append(f"usage_parts.usage_events_{year}_{month + 1:02}")
    return found


OVER = """
SELECT (to_date(right($1, 7), 'YYYY_MM') + interval '1 month')::date <= (now() AT TIME ZONE 'UTC')::date - 400
"""
OWNERS = "SELECT prosecdef, proconfig FROM pg_proc WHERE proname IN ('usage_make_partition', 'usage_drop_partitions')"


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)


class TestAppendOnly:
    @pytest.mark.parametrize("role", ["app", "migrator", "superuser"])
    @pytest.mark.parametrize("partition", [False, True], ids=["table", "partition"])
    @pytest.mark.parametrize("deed", ["UPDATE {} SET kind = 'SOLD'", "DELETE FROM {}", "TRUNCATE {}"])
    async def test_nobody_changes_or_removes_an_event(
        self, sql: Sql, database_urls: EmbeddedUrls, role: str, partition: bool, deed: str
    ) -> None:
        await sql.execute(EVENT)
        before = await sql.rows("SELECT * FROM usage_events ORDER BY id")
        target = (await parts(sql))[0] if partition else "usage_events"
        async with Sql.connect(getattr(database_urls, role)) as other:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await other.execute(deed.format(target))
        assert await sql.rows("SELECT * FROM usage_events ORDER BY id") == before

    async def test_the_service_adds_and_reads_through_the_table_alone(
        self, sql: Sql, database_urls: EmbeddedUrls
    ) -> None:
        part = (await parts(sql))[0]
        async with Sql.connect(database_urls.app) as service:
            await service.execute(EVENT)
            assert await service.value("SELECT count(*) FROM usage_events") > 0
            for deed in (f"SELECT * FROM {part}", f"INSERT INTO {part} DEFAULT VALUES", f"DROP TABLE {part}"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await service.execute(deed)

    @pytest.mark.parametrize(
        "column",
        ["kind = 'OTHER'", "position = 0", "visitor = 'short'", "person = 'short'", "words = repeat('a', 101)"],
    )
    async def test_the_database_refuses_what_no_event_may_be(self, sql: Sql, column: str) -> None:
        name, _, value = column.partition(" = ")
        values = {
            "id": "gen_random_uuid()",
            "kind": "'SEARCH'",
            "visitor": "decode(repeat('ab', 16), 'hex')",
            name: value,
        }
        with pytest.raises(asyncpg.CheckViolationError):
            await sql.execute(f"INSERT INTO usage_events ({', '.join(values)}) VALUES ({', '.join(values.values())})")


class TestMonths:
    async def test_this_month_and_the_next_two_are_there_from_the_start_and_the_job_changes_nothing(
        self, sql: Sql, runtime: Runtime
    ) -> None:
        today = await sql.value("SELECT (now() AT TIME ZONE 'UTC')::date")
        assert await parts(sql) == months(3, today)
        await keep_months.run(runtime)
        assert await parts(sql) == months(3, today)

    async def test_a_month_that_is_missing_is_made_by_one_of_two_workers(
        self, sql: Sql, database_urls: EmbeddedUrls, runtime: Runtime
    ) -> None:
        before = await parts(sql)
        async with Sql.connect(database_urls.superuser) as superuser:
            await superuser.execute(f"DROP TABLE {before[-1]}")
        await asyncio.gather(keep_months.run(runtime), keep_months.run(runtime))
        assert await parts(sql) == before

    async def test_events_are_written_while_a_month_is_made(self, sql: Sql, database_urls: EmbeddedUrls) -> None:
        async with Sql.connect(database_urls.app) as writer, Sql.connect(database_urls.app) as maker:
            transaction = writer.connection.transaction()
            await transaction.start()
            await writer.execute(EVENT)
            assert await maker.value("SELECT usage_make_partition((now() + interval '95 days')::date)") is True
            await writer.execute(EVENT)
            await transaction.commit()
        last = (await parts(sql))[-1]
        async with Sql.connect(database_urls.superuser) as superuser:
            await superuser.execute(f"DROP TABLE {last}")

    async def test_months_past_their_days_go_and_the_others_stay(
        self, sql: Sql, database_urls: EmbeddedUrls, runtime: Runtime
    ) -> None:
        before = await parts(sql)
        first = await sql.value("SELECT (date_trunc('month', now() AT TIME ZONE 'UTC') - interval '15 months')::date")
        async with Sql.connect(database_urls.app) as service:
            for back in range(15):
                made = await service.value(
                    "SELECT usage_make_partition(($1::date + make_interval(months => $2))::date)", first, back
                )
                assert made is True
            old = EVENT.replace("kind,", "at, kind,").replace("'SEARCH'", "$1, 'SEARCH'")
            await service.execute(old, _noon(first))
        assert await parts(sql) == months(15, first) + before
        await keep_months.run(runtime)
        kept = await parts(sql)
        # 400 days are 13 months and some days: the month that ended that long ago is gone, a younger one is not.
        for part in months(15, first):
            assert (part not in kept) is await sql.value(OVER, part)
        assert months(1, first)[0] not in kept
        assert kept[-3:] == before
        assert await sql.value("SELECT count(*) FROM usage_events WHERE at < $1", _noon(first).replace(day=28)) == 0

    @pytest.mark.parametrize("days", [None, -1, 0, 30, 40_000])
    async def test_nobody_can_have_the_last_month_dropped(
        self, sql: Sql, database_urls: EmbeddedUrls, days: int | None
    ) -> None:
        before = await parts(sql)
        async with Sql.connect(database_urls.app) as service:
            with pytest.raises(asyncpg.InvalidParameterValueError):
                await service.value("SELECT usage_drop_partitions($1)", days)
        assert await parts(sql) == before

    @pytest.mark.parametrize("day", ["NULL", "'1990-01-01'", "now()::date + 101", "'infinity'"])
    async def test_no_month_is_made_that_nobody_needs(self, sql: Sql, database_urls: EmbeddedUrls, day: str) -> None:
        before = await parts(sql)
        async with Sql.connect(database_urls.app) as service:
            with pytest.raises(asyncpg.PostgresError):
                await service.value(f"SELECT usage_make_partition(({day})::date)")
        assert await parts(sql) == before

    async def test_functions_that_act_as_the_owner_look_nothing_up_where_others_could_put_it(self, sql: Sql) -> None:
        found = await sql.rows(OWNERS)
        assert len(found) == 2
        for function in found:
            assert function["prosecdef"] is True
            assert "search_path=pg_catalog, pg_temp" in function["proconfig"]
        assert (
            await sql.value("SELECT has_function_privilege('public', 'usage_drop_partitions(integer)', 'EXECUTE')")
            is False
        )
