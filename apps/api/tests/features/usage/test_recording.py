"""What browsing leaves behind, and what it does not."""

import json
from uuid import UUID, uuid4

import pytest

from features.usage.conftest import PHONE, Visits
from memi.platform.keyring import KeyRing
from memi.usage.keys import UsageKeys
from support.items import LEAF, make_listing
from support.people import People
from support.sql import Sql

NOWHERE = {"type": "http", "client": ("198.51.100.7", 1), "headers": [(b"user-agent", b"a browser")]}


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
