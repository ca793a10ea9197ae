"""How events come to be written: beside requests, once, and whatever happens to the database."""

import asyncio
import random
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from ipaddress import ip_network
from uuid import UUID, uuid4

import asyncpg
import pytest
from prometheus_client import REGISTRY
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from features.usage.test_recording import NOWHERE
from memi.listings.viewing import facts
from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.runtime import Runtime
from memi.usage.keys import UsageKeys
from memi.usage.recorder import Recorder
from memi.usage.schemas import ListingFacts
from support.sql import Sql

CUT_OFF = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND usename = 'memi_app' AND application_name = 'memi'
"""


def counted(outcome: str) -> float:
    value = REGISTRY.get_sample_value("memi_usage_events_total", {"outcome": outcome})
    return value or 0.0


class TestWriting:
    """The recorder itself, apart from the one that the application runs."""

    @pytest.fixture
    def recorder(self, runtime: Runtime) -> Recorder:
        return Recorder(runtime.settings, runtime.unit_of_work, runtime.adapters.get(UsageKeys), facts)

    async def written(self, sql: Sql, search_id: UUID) -> list[UUID]:
        return [row["id"] for row in await sql.rows("SELECT id FROM usage_events WHERE search_id = $1", search_id)]

    async def test_a_full_buffer_drops_and_counts_what_comes(self, runtime: Runtime, sql: Sql) -> None:
        settings = runtime.settings.model_copy(update={"usage_buffer": 1000})
        recorder = Recorder(settings, runtime.unit_of_work, runtime.adapters.get(UsageKeys), facts)
        search_id, before = uuid4(), counted("dropped")
        for _ in range(1010):
            recorder.record(NOWHERE, "SEARCH", None, search_id=search_id)
        assert counted("dropped") == before + 10
        await recorder.flush()
        assert len(await self.written(sql, search_id)) == 1000

    async def test_a_visitors_address_is_what_a_trusted_proxy_says_and_nobody_else(
        self, runtime: Runtime, sql: Sql
    ) -> None:
        long = b"198.18.0.1, " * 4000
        told = [(b"x-forwarded-for", b"203.0.113.1"), (b"x-forwarded-for", long + b"203.0.113.2")]
        visitors: dict[bool, set[bytes]] = {}
        for trusted in (True, False):
            networks = (ip_network("198.51.100.0/24"),) if trusted else ()
            settings = runtime.settings.model_copy(update={"trusted_proxies": networks})
            recorder = Recorder(settings, runtime.unit_of_work, runtime.adapters.get(UsageKeys), facts)
            search_id = uuid4()
            for headers in ([], told[:1], told[1:]):
                recorder.record({**NOWHERE, "headers": headers}, "SEARCH", None, search_id=search_id)
            await recorder.flush()
            rows = await sql.rows("SELECT visitor FROM usage_events WHERE search_id = $1", search_id)
            visitors[trusted] = {row["visitor"] for row in rows}
        assert {trusted: len(found) for trusted, found in visitors.items()} == {True: 3, False: 1}
        assert visitors[False] < visitors[True]

    async def test_it_writes_by_itself_and_what_is_left_at_the_end(self, recorder: Recorder, sql: Sql) -> None:
        first, last = uuid4(), uuid4()
        async with recorder.running():
            recorder.record(NOWHERE, "SEARCH", None, search_id=first)
            async with asyncio.timeout(10):
                while not await self.written(sql, first):
                    await asyncio.sleep(0.05)
            recorder.record(NOWHERE, "SEARCH", None, search_id=last)
        assert len(await self.written(sql, last)) == 1

    async def test_a_full_batch_is_written_at_once(self, recorder: Recorder, sql: Sql) -> None:
        search_id = uuid4()
        async with recorder.running():
            await asyncio.sleep(0)
            for _ in range(1200):
                recorder.record(NOWHERE, "SEARCH", None, search_id=search_id)
            async with asyncio.timeout(0.9):
                while len(await self.written(sql, search_id)) < 1200:
                    await asyncio.sleep(0.01)

    @asynccontextmanager
    async def away(self, urls: EmbeddedUrls) -> AsyncGenerator[asyncpg.Connection]:
        """The database takes no connections, until that is ended."""
        name = urls.app.rsplit("/", 1)[1]
        elsewhere = await asyncpg.connect(urls.superuser.rsplit("/", 1)[0] + "/postgres")
        try:
            await elsewhere.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            await elsewhere.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND usename = 'memi_app'",
                name,
            )
            yield elsewhere
        finally:
            await elsewhere.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            await elsewhere.close()

    async def test_a_database_that_is_away_only_delays(
        self, recorder: Recorder, database_urls: EmbeddedUrls, sql: Sql
    ) -> None:
        search_id, before = uuid4(), counted("dropped")
        async with recorder.running():
            async with self.away(database_urls):
                for _ in range(11):
                    recorder.record(NOWHERE, "SEARCH", None, search_id=search_id)
                await asyncio.sleep(4.5)  # as many tries as a batch has that fails by itself
                assert await self.written(sql, search_id) == []
            async with asyncio.timeout(20):
                while len(await self.written(sql, search_id)) < 11:
                    await asyncio.sleep(0.05)
        assert (len(await self.written(sql, search_id)), counted("dropped")) == (11, before)

    async def test_a_database_that_is_back_a_moment_after_the_end_has_it_all(
        self, recorder: Recorder, database_urls: EmbeddedUrls, sql: Sql
    ) -> None:
        search_id = uuid4()
        async with self.away(database_urls) as elsewhere:
            running = recorder.running()
            await running.__aenter__()
            recorder.record(NOWHERE, "SEARCH", None, search_id=search_id)
            ending = asyncio.create_task(running.__aexit__(None, None, None))
            await asyncio.sleep(2.5)
            assert not ending.done()
            await elsewhere.execute(f"ALTER DATABASE {database_urls.app.rsplit('/', 1)[1]} ALLOW_CONNECTIONS true")
            await ending
        assert len(await self.written(sql, search_id)) == 1

    async def test_a_database_that_says_nothing_is_not_waited_for_without_end(
        self, runtime: Runtime, database_urls: EmbeddedUrls, sql: Sql
    ) -> None:
        settings = runtime.settings.model_copy(update={"request_seconds": 0.5})
        recorder = Recorder(settings, runtime.unit_of_work, runtime.adapters.get(UsageKeys), facts)
        search_id = uuid4()
        recorder.record(NOWHERE, "SEARCH", None, search_id=search_id)
        async with Sql.connect(database_urls.migrator) as other, other.connection.transaction():
            await other.execute("LOCK TABLE usage_events IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(TimeoutError):
                await recorder.flush()
        await recorder.flush()
        assert len(await self.written(sql, search_id)) == 1

    async def test_a_month_that_has_no_table_yet_only_delays(self, recorder: Recorder, sql: Sql) -> None:
        search_id, before = uuid4(), counted("dropped")
        month = await sql.rows(
            "SELECT c.oid::regclass::text AS name, pg_get_expr(c.relpartbound, c.oid) AS bounds"
            " FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = 'usage_events'::regclass AND c.relname = 'usage_events_' || to_char(now(), 'YYYY_MM')"
        )
        await sql.execute(f"ALTER TABLE usage_events DETACH PARTITION {month[0]['name']}")
        try:
            for _ in range(20):
                recorder.record(NOWHERE, "SEARCH", None, search_id=search_id)
            async with recorder.running():
                await asyncio.sleep(4.5)
                await sql.execute(f"ALTER TABLE usage_events ATTACH PARTITION {month[0]['name']} {month[0]['bounds']}")
        finally:
            assert len(await self.written(sql, search_id)) == 20
        assert counted("dropped") == before

    async def test_cut_off_anywhere_each_event_is_written_once(
        self, recorder: Recorder, database_urls: EmbeddedUrls, sql: Sql
    ) -> None:
        """Also when it was committed and nobody heard of that."""
        search_id, chance, cut = uuid4(), random.Random(7), 0
        async with Sql.connect(database_urls.superuser) as superuser:
            for _ in range(60):
                for _ in range(20):
                    recorder.record(NOWHERE, "SEARCH", None, search_id=search_id)
                writing = asyncio.create_task(recorder.flush())
                await asyncio.sleep(chance.uniform(0, 0.02))
                await superuser.execute(CUT_OFF)
                cut += isinstance((await asyncio.gather(writing, return_exceptions=True))[0], Exception)
        while True:
            try:
                await recorder.flush()
                break
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, DBAPIError):
                continue  # a connection that was cut off while it rested
        written = await self.written(sql, search_id)
        assert (len(written), len(set(written))) == (1200, 1200)
        assert cut > 5

    async def test_an_event_that_the_database_refuses_takes_no_other_along(self, recorder: Recorder, sql: Sql) -> None:
        bad, good, before = uuid4(), uuid4(), counted("dropped")
        for number in range(600):
            if number in (77, 500):
                recorder.record(NOWHERE, "SEARCH", None, search_id=bad, position=0)
            else:
                recorder.record(NOWHERE, "SEARCH", None, search_id=good)
        await recorder.flush()
        assert counted("dropped") == before + 2
        assert await self.written(sql, bad) == []
        assert len(set(await self.written(sql, good))) == 598

    async def test_when_every_event_is_refused_the_batch_goes_at_once(self, recorder: Recorder, sql: Sql) -> None:
        bad, good, before = uuid4(), uuid4(), counted("dropped")
        for _ in range(1000):
            recorder.record(NOWHERE, "SEARCH", None, search_id=bad, position=0)
        recorder.record(NOWHERE, "SEARCH", None, search_id=good)
        await recorder.flush()
        assert counted("dropped") == before + 1000
        assert (await self.written(sql, bad), len(await self.written(sql, good))) == ([], 1)

    async def test_what_fails_by_itself_is_given_up_so_that_the_rest_goes_on(self, runtime: Runtime, sql: Sql) -> None:
        lost, good, before = uuid4(), uuid4(), counted("dropped")

        async def describe(session: AsyncSession, listing_ids: Collection[UUID]) -> dict[UUID, ListingFacts]:
            raise ZeroDivisionError

        recorder = Recorder(runtime.settings, runtime.unit_of_work, runtime.adapters.get(UsageKeys), describe)
        recorder.record(NOWHERE, "SEARCH_CLICK", None, search_id=lost, listing_id=uuid4(), position=1)
        with pytest.raises(ZeroDivisionError):
            await recorder.flush()
        recorder.record(NOWHERE, "SEARCH", None, search_id=good)
        async with recorder.running(), asyncio.timeout(20):
            while not await self.written(sql, good):
                await asyncio.sleep(0.05)
        assert counted("dropped") == before + 1
        assert await self.written(sql, lost) == []
