"""What browsing leaves behind, and what it does not."""

import asyncio
import json
import random
from collections.abc import Collection
from ipaddress import ip_network
from uuid import UUID, uuid4

import asyncpg
import pytest
from prometheus_client import REGISTRY
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from features.usage.conftest import PHONE, Visits
from memi.listings.viewing import facts
from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.keyring import KeyRing
from memi.platform.runtime import Runtime
from memi.usage.keys import UsageKeys
from memi.usage.recorder import Recorder
from memi.usage.schemas import ListingFacts
from support.items import LEAF, make_listing
from support.people import People
from support.sql import Sql

NOWHERE = {"type": "http", "client": ("198.51.100.7", 1), "headers": [(b"user-agent", b"a browser")]}

CUT_OFF = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND usename = 'memi_app' AND application_name = 'memi'
"""


def counted(outcome: str) -> float:
    value = REGISTRY.get_sample_value("memi_usage_events_total", {"outcome": outcome})
    return value or 0.0


class TestViews:
    async def test_a_page_that_is_read_leaves_one_event_of_nobody_in_particular(
        self, visits: Visits, people: People, sql: Sql
    ) -> None:
        listing = await make_listing(await people.new("Murad"), sql)
        assert (await visits.read(listing["id"])).status_code == 200
        [event] = await visits.of_listing(listing["id"])
        assert (event["kind"], event["category"], event["person"]) == ("LISTING_VIEW", LEAF, None)
        assert len(event["visitor"]) == 16
        assert {name: event[name] for name in ("search_id", "position", "words")} == {
            "search_id": None, "position": None, "words": None,
        }  # fmt: skip
        assert json.loads(event["properties"]) == {}

    async def test_the_same_browser_is_one_visitor_whatever_it_reads_and_another_is_another(
        self, visits: Visits, people: People, sql: Sql
    ) -> None:
        seller = await people.new("Murad")
        one, other = [await make_listing(seller, sql) for _ in range(2)]
        for listing in (one, one, other):
            await visits.read(listing["id"])
        await visits.read(one["id"], headers=PHONE)
        visitors = [event["visitor"] for event in await visits.of_listing(one["id"])]
        assert len(visitors) == 3
        assert visitors[0] == visitors[1] != visitors[2]
        assert [event["visitor"] for event in await visits.of_listing(other["id"])] == visitors[:1]

    async def test_reading_it_unchanged_counts_as_reading_it(self, visits: Visits, people: People, sql: Sql) -> None:
        listing = await make_listing(await people.new("Murad"), sql)
        tag = (await visits.read(listing["id"])).headers["etag"]
        assert (await visits.read(listing["id"], headers={"If-None-Match": tag})).status_code == 304
        assert len(await visits.of_listing(listing["id"])) == 2

    async def test_sellers_who_look_at_their_own_leave_nothing(self, visits: Visits, people: People, sql: Sql) -> None:
        seller = await people.new("Murad")
        listing = await make_listing(seller, sql)
        assert (await visits.read(listing["id"], seller)).status_code == 200
        assert await visits.of_listing(listing["id"]) == []

    async def test_machines_and_what_nobody_may_see_leave_nothing(
        self, visits: Visits, people: People, sql: Sql
    ) -> None:
        seller = await people.new("Murad")
        shown, draft = await make_listing(seller, sql), await make_listing(seller, sql, publish=False)
        assert (await visits.read(shown["id"], headers={"User-Agent": "Googlebot/2.1"})).status_code == 200
        assert (await visits.read(draft["id"])).status_code == 404
        assert (await visits.read(draft["id"], seller)).status_code == 200
        missing = str(uuid4())
        assert (await visits.read(missing)).status_code == 404
        for listing_id in (shown["id"], draft["id"], missing):
            assert await visits.of_listing(listing_id) == []


class TestSearches:
    async def test_words_that_are_searched_are_kept_folded_and_clicks_follow_them(
        self, visits: Visits, people: People, sql: Sql
    ) -> None:
        word = f"qırmızı{uuid4().hex[:6]}x"
        listing = await make_listing(await people.new("Murad"), sql, title=f"Palto {word}")
        reply = await visits.search(q=word, category="women-clothes")
        assert [item["id"] for item in reply.json()["items"]] == [listing["id"]]
        search_id = reply.headers["x-search-id"]
        read = await visits.read(listing["id"], params={"search_id": search_id, "position": 1})
        assert read.status_code == 200
        search, click = await visits.of_search(search_id)
        assert (search["kind"], search["category"], search["listing_id"]) == ("SEARCH", "women-clothes", None)
        assert search["words"] == word.replace("ı", "i")
        assert json.loads(search["properties"]) == {}
        assert (click["kind"], click["listing_id"], click["position"]) == ("SEARCH_CLICK", UUID(listing["id"]), 1)
        assert click["visitor"] == search["visitor"]
        kinds = [event["kind"] for event in await visits.of_listing(listing["id"])]
        assert kinds == ["SEARCH_CLICK", "LISTING_VIEW"]

    async def test_what_could_be_somebodys_is_nowhere_in_what_is_kept(self, visits: Visits) -> None:
        reply = await visits.search(q="palto aysel@example.com 0501234567")
        [search] = await visits.of_search(reply.headers["x-search-id"])
        assert search["words"] == "palto"
        assert json.loads(search["properties"]) == {"empty": True}

    async def test_browsing_and_further_pages_are_no_searches(self, visits: Visits, people: People, sql: Sql) -> None:
        seller, word = await people.new("Murad"), f"sari{uuid4().hex[:6]}x"
        for _ in range(2):
            await make_listing(seller, sql, title=f"Palto {word}")
        first = await visits.search(q=word, limit=1)
        following = await visits.search(q=word, limit=1, cursor=first.json()["next_cursor"])
        assert len(following.json()["items"]) == 1
        assert "x-search-id" not in following.headers
        second = await visits.search(q=word, limit=1, page=2)
        assert (second.json()["items"], "x-search-id" in second.headers) == (following.json()["items"], False)
        assert "x-search-id" not in (await visits.search(category="women-clothes")).headers
        assert len(await visits.of_search(first.headers["x-search-id"])) == 1

    async def test_the_first_page_by_number_is_a_search_as_the_first_by_cursor_is(self, visits: Visits) -> None:
        for total in (False, True):
            reply = await visits.search(q="nowheretobefound", page=1, total=total)
            [search] = await visits.of_search(reply.headers["x-search-id"])
            assert (search["words"], json.loads(search["properties"])) == ("nowheretobefound", {"empty": True})

    @pytest.mark.parametrize(
        ("asked", "error"),
        [
            ({"position": 1}, ("/position", "needs_search")),
            ({"search_id": "x"}, ("/search_id", "bad_format")),
            ({"search_id": str(uuid4()), "position": 0}, ("/position", "out_of_range")),
            ({"search_id": str(uuid4()), "position": 10_001}, ("/position", "out_of_range")),
            ({"from": "search"}, ("/from", "unknown_field")),
        ],
    )
    async def test_a_malformed_arrival_is_refused_and_leaves_nothing(
        self, visits: Visits, people: People, sql: Sql, asked: dict[str, object], error: tuple[str, str]
    ) -> None:
        listing = await make_listing(await people.new("Murad"), sql)
        reply = await visits.read(listing["id"], params=asked)
        assert reply.status_code == 422
        assert [(item["pointer"], item["code"]) for item in reply.json()["errors"]] == [error]
        assert await visits.of_listing(listing["id"]) == []


class TestKeys:
    def test_no_visitor_is_known_again_on_another_day_or_by_another_ring(self) -> None:
        ring, other = (UsageKeys(KeyRing({"k": bytes([number]) * 32})) for number in (1, 2))
        today, tomorrow = b"t" * 32, b"u" * 32
        keys = {
            ring.visitor(today, "198.51.100.7", b"a"),
            ring.visitor(tomorrow, "198.51.100.7", b"a"),
            other.visitor(today, "198.51.100.7", b"a"),
            ring.visitor(today, "198.51.100.8", b"a"),
            ring.visitor(today, "198.51.100.7", b"b"),
            ring.visitor(today, None, b"a"),
            ring.account(today, UUID(int=1)),
            ring.account(tomorrow, UUID(int=1)),
            ring.person(b"s" * 16, UUID(int=1)),
            ring.person(b"r" * 16, UUID(int=1)),
        }
        assert len(keys) == 10
        assert {len(key) for key in keys} == {16}

    def test_one_subscriber_of_ipv6_is_one_visitor(self) -> None:
        keys = UsageKeys(KeyRing({"k": b"1" * 32}))
        one, same, other = (
            keys.visitor(b"t" * 32, address, b"a") for address in ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1")
        )
        assert one == same != other


class TestWriting:
    """The recorder itself, apart from the one that the application runs."""

    @pytest.fixture
    def recorder(self, runtime: Runtime) -> Recorder:
        return Recorder(runtime.settings, runtime.unit_of_work, runtime.adapters.get(UsageKeys), facts)

    async def written(self, sql: Sql, search_id: UUID) -> list[UUID]:
        return [row["id"] for row in await sql.rows("SELECT id FROM usage_events WHERE search_id = $1", search_id)]

    async def test_a_full_buffer_drops_and_counts_what_comes(self, runtime: Runtime, sql: Sql) -> None:
        settings = runtime.settings.model_copy(update={"usage_buffer": 500})
        recorder = Recorder(settings, runtime.unit_of_work, runtime.adapters.get(UsageKeys), facts)
        search_id, before = uuid4(), counted("dropped")
        for _ in range(510):
            recorder.record(NOWHERE, "SEARCH", None, search_id=search_id)
        assert counted("dropped") == before + 10
        await recorder.flush()
        assert len(await self.written(sql, search_id)) == 500

    async def test_a_visitors_address_is_what_a_trusted_proxy_says_and_nobody_else(
        self, runtime: Runtime, sql: Sql
    ) -> None:
        told = [(b"x-forwarded-for", b"203.0.113.1"), (b"x-forwarded-for", b"203.0.113.2")]
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

    async def test_a_database_that_is_away_only_delays(
        self, recorder: Recorder, database_urls: EmbeddedUrls, sql: Sql
    ) -> None:
        search_id, name = uuid4(), database_urls.app.rsplit("/", 1)[1]
        elsewhere = await asyncpg.connect(database_urls.superuser.rsplit("/", 1)[0] + "/postgres")
        try:
            await elsewhere.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            await elsewhere.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND usename = 'memi_app'",
                name,
            )
            for _ in range(10):
                recorder.record(NOWHERE, "SEARCH", None, search_id=search_id)
            async with recorder.running():
                await asyncio.sleep(2.5)
                recorder.record(NOWHERE, "SEARCH", None, search_id=search_id)
                assert await self.written(sql, search_id) == []
                await elsewhere.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
                async with asyncio.timeout(20):
                    while len(await self.written(sql, search_id)) < 11:
                        await asyncio.sleep(0.05)
        finally:
            await elsewhere.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            await elsewhere.close()
        assert len(await self.written(sql, search_id)) == 11

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
