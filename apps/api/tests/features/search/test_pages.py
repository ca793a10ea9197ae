"""Pages by number and totals: the same cards in the same order as by cursor, and no more work than one statement."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from memi.platform.hot_pool import HotPool
from memi.platform.runtime import Runtime
from memi.search.jobs import consume
from memi.search.statements import cards
from support.items import make_listing
from support.many_items import items
from support.people import People, Person
from support.sql import Sql

LISTINGS = "/api/v1/listings"
SORTS = ["newest", "price_asc", "price_desc", "relevance"]
_MANY = 10_001


@pytest.fixture(scope="module")
async def seller(people: People, sql: Sql, runtime: Runtime) -> Person:
    """Has eleven coats at only three prices, so that ties matter, and two goats."""
    person = await people.new("Seller")
    for number in range(13):
        title = f"Coat number {number}" if number < 11 else f"Goat {number}"
        await make_listing(person, sql, title=title, price={"amount": 1000 * (1 + number % 3), "currency": "AZN"})
    async with runtime.unit_of_work() as session:
        await consume(session)
    return person


@pytest.fixture(scope="module")
async def crowd(people: People, sql: Sql) -> Person:
    """Sells one more than pages reach, all alike."""
    person = await people.new("Crowd")
    pattern = await make_listing(await people.new("Pattern"), sql, title="Woollen jumper")
    await items([person] * _MANY, sql)
    await sql.execute(
        """
        INSERT INTO listing_cards (listing_id, seller_id, status, version, visible, browsable, published_at, price,
                                   section, brand, tags, document, words, card, page)
        SELECT l.id, l.seller_id, l.status, l.version, true, true, l.published_at, l.price_amount, c.section, c.brand,
               c.tags, c.document, c.words, c.card, c.page
        FROM listings l CROSS JOIN listing_cards c WHERE l.seller_id = $1 AND c.listing_id = $2
        """,
        UUID(person.id),
        UUID(pattern["id"]),
    )
    return person


@pytest.fixture
def round_trips(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hot statements that are run, in order."""
    seen: list[str] = []
    fetch = HotPool.fetch

    async def counting(self: HotPool, sql: str, *arguments: object) -> list[Any]:
        seen.append(sql)
        return await fetch(self, sql, *arguments)

    monkeypatch.setattr(HotPool, "fetch", counting)
    return seen


async def read(client: httpx.AsyncClient, path: str = LISTINGS, **params: object) -> dict[str, Any]:
    reply = await client.get(path, params={name: str(value) for name, value in params.items()})
    assert reply.status_code == 200, reply.text
    return reply.json()


def ids(reply: dict[str, Any]) -> list[str]:
    return [item["id"] for item in reply["items"]]


async def by_pages(client: httpx.AsyncClient, path: str = LISTINGS, **params: object) -> list[str]:
    """All there is, page after page."""
    found: list[str] = []
    for number in range(1, 50):
        reply = await read(client, path, page=number, **params)
        assert (reply["page"], reply["limit"]) == (number, params["limit"])
        found += ids(reply)
        if not reply["has_more"]:
            assert reply["next_cursor"] is None
            return found
        assert len(reply["items"]) == params["limit"]
    raise AssertionError("there is no end")


class TestPages:
    @pytest.mark.parametrize("sort", SORTS)
    @pytest.mark.parametrize("limit", [1, 3, 10, 11, 12])
    async def test_every_card_once_and_in_the_same_order_as_by_cursor(
        self, client: httpx.AsyncClient, seller: Person, sort: str, limit: int
    ) -> None:
        asked: dict[str, Any] = {"q": "number", "sort": sort, "seller": seller.id}
        whole = await read(client, limit=100, **asked)
        assert set(whole) == {"items", "next_cursor"}
        assert len(set(ids(whole))) == 11
        assert await by_pages(client, limit=limit, **asked) == ids(whole)

    @pytest.mark.parametrize("sort", SORTS)
    async def test_a_page_says_where_to_go_on_by_cursor(
        self, client: httpx.AsyncClient, seller: Person, sort: str
    ) -> None:
        asked: dict[str, Any] = {"q": "number", "sort": sort, "seller": seller.id, "limit": 3}
        second, third = [await read(client, page=number, **asked) for number in (2, 3)]
        follows = await read(client, cursor=second["next_cursor"], **asked)
        assert follows["items"] == third["items"]
        assert set(follows) == {"items", "next_cursor"}

    async def test_with_filters(self, client: httpx.AsyncClient, seller: Person) -> None:
        asked: dict[str, Any] = {"seller": seller.id, "category": "women-clothes", "min_price": 1000, "max_price": 2000}
        whole = ids(await read(client, limit=100, **asked))
        assert len(whole) == 9
        assert await by_pages(client, limit=2, **asked) == whole

    async def test_past_the_end_there_is_nothing(self, client: httpx.AsyncClient, seller: Person) -> None:
        reply = await read(client, seller=seller.id, page=100, limit=100)
        assert reply == {"items": [], "next_cursor": None, "page": 100, "limit": 100, "has_more": False}

    async def test_what_a_seller_has(self, client: httpx.AsyncClient, people: People, seller: Person) -> None:
        path = f"/api/v1/users/{seller.id}/listings"
        whole = ids(await read(client, path, limit=100))
        assert len(whole) == 13
        assert await by_pages(client, path, limit=4) == whole
        second = await read(client, path, page=2, limit=4, total=True)
        assert (second["total"], second["total_is_exact"]) == (13, True)
        assert ids(await read(client, path, limit=4, cursor=second["next_cursor"])) == whole[8:12]
        nothing = await read(client, f"/api/v1/users/{(await people.new()).id}/listings", page=2, limit=5, total=True)
        assert nothing == {
            "items": [], "next_cursor": None, "page": 2, "limit": 5, "has_more": False,
            "total": 0, "total_is_exact": True,
        }  # fmt: skip
        nobody = await client.get("/api/v1/users/01890a5d-ac96-774b-bcce-b302099a8057/listings?page=2")
        assert (nobody.status_code, nobody.json()["code"]) == (404, "not_found")

    async def test_favourites_are_the_callers_own_and_nobody_else_may_keep_the_page(
        self, client: httpx.AsyncClient, people: People, seller: Person
    ) -> None:
        path = f"/listings?seller={seller.id}&page=2&limit=3&total=true"
        shown = (await client.get(f"/api/v1{path}")).json()["items"]
        fan = await people.new("Fan")
        assert (await fan.put(f"/listings/{shown[0]['id']}/favorite")).status_code == 204
        own = await fan.get(path)
        assert [item["is_favorite"] for item in own.json()["items"]] == [True, False, False]
        assert (own.headers["cache-control"], "etag" in own.headers) == ("private, no-store", False)
        others = await client.get(f"/api/v1{path}")
        assert [(item["is_favorite"], item["favorite_count"]) for item in others.json()["items"]] == [
            (False, 1),
            (False, 0),
            (False, 0),
        ]
        assert others.headers["cache-control"].startswith("public, max-age=5")
        again = await client.get(f"/api/v1{path}", headers={"If-None-Match": others.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        another = await client.get(f"/api/v1{path}&sort=price_asc")
        assert another.headers["etag"] != others.headers["etag"]

    async def test_the_first_page_of_a_search_names_it(self, client: httpx.AsyncClient, seller: Person) -> None:
        for query, named in (("page=1", True), ("page=1&total=true", True), ("total=true", True), ("page=2", False)):
            reply = await client.get(f"{LISTINGS}?q=coat&seller={seller.id}&limit=3&{query}")
            assert (reply.status_code, "x-search-id" in reply.headers) == (200, named), query


class TestTotals:
    @pytest.mark.parametrize("sort", SORTS)
    async def test_counted_when_asked_whichever_page_is(
        self, client: httpx.AsyncClient, seller: Person, sort: str
    ) -> None:
        asked: dict[str, Any] = {"q": "number", "sort": sort, "seller": seller.id, "limit": 4}
        first = await read(client, **asked)
        places: list[dict[str, Any]] = [{}, {"page": 1}, {"page": 3}, {"page": 50}, {"cursor": first["next_cursor"]}]
        for place in places:
            reply = await read(client, total=True, **asked, **place)
            plain = await read(client, **asked, **place)
            assert (reply.pop("total"), reply.pop("total_is_exact")) == (11, True)
            cursors = (reply.pop("next_cursor"), plain.pop("next_cursor"))
            assert reply == plain
            assert (cursors[0] is None) == (cursors[1] is None)
            if sort != "relevance":  # whose cursors hold the time
                assert cursors[0] == cursors[1]

    async def test_nothing(self, client: httpx.AsyncClient, seller: Person) -> None:
        places: list[dict[str, Any]] = [{}, {"page": 1}, {"page": 2}]
        for place in places:
            reply = await read(client, q="zzzzqqqq", seller=seller.id, total=True, **place)
            assert (reply["items"], reply["total"], reply["total_is_exact"]) == ([], 0, True)

    async def test_not_counted_when_not_asked(self, client: httpx.AsyncClient, seller: Person) -> None:
        reply = await read(client, seller=seller.id, page=1, total=False)
        assert set(reply) == {"items", "next_cursor", "page", "limit", "has_more"}


class TestSlips:
    async def test_each_page_forgives_what_the_first_does(self, client: httpx.AsyncClient, seller: Person) -> None:
        for sort in SORTS:
            asked: dict[str, Any] = {"q": "nubmer", "seller": seller.id, "sort": sort}
            whole = ids(await read(client, limit=100, **asked))
            assert len(whole) == 11
            assert await by_pages(client, limit=4, **asked) == whole
            past = await read(client, limit=4, page=9, total=True, **asked)
            assert (past["items"], past["has_more"], past["total"]) == ([], False, 11)

    async def test_what_fills_a_page_is_not_corrected_on_the_next(
        self, client: httpx.AsyncClient, seller: Person
    ) -> None:
        asked: dict[str, Any] = {"q": "goat", "seller": seller.id, "sort": "newest"}
        goats = await by_pages(client, limit=2, **asked)
        assert len(goats) == 2
        for total, counted in ((False, None), (True, 2)):
            past = await read(client, limit=2, page=2, total=total, **asked)
            assert (past["items"], past["has_more"], past.get("total")) == ([], False, counted)
        # Where they do not fill it, coats are thought of too: on every page.
        everything = await by_pages(client, limit=3, **asked)
        assert (len(everything), len(set(everything)), everything[:2]) == (13, 13, goats)
        last = await read(client, limit=3, page=5, total=True, **asked)
        assert (len(last["items"]), last["has_more"], last["total"]) == (1, False, 13)


class TestRefusals:
    @pytest.mark.parametrize(
        ("query", "code", "error"),
        [
            ("limit=100&page=101", "page_too_deep", "page_too_deep"),
            ("limit=1&page=10001", "page_too_deep", "page_too_deep"),
            ("page=417", "page_too_deep", "page_too_deep"),
            ("page=99999999999999999999", "page_too_deep", "page_too_deep"),
            ("page=0", "validation_failed", "out_of_range"),
            ("page=-1", "validation_failed", "out_of_range"),
            ("page=", "validation_failed", "wrong_type"),
            ("page=x", "validation_failed", "wrong_type"),
            ("page=1&page=2", "validation_failed", "repeated"),
            ("page=1&cursor=abc", "validation_failed", "not_both"),
        ],
    )
    async def test_a_page(self, client: httpx.AsyncClient, seller: Person, query: str, code: str, error: str) -> None:
        for path in (LISTINGS, f"/api/v1/users/{seller.id}/listings"):
            reply = await client.get(f"{path}?{query}")
            assert (reply.status_code, reply.json()["code"]) == (422, code)
            assert [(item["pointer"], item["code"]) for item in reply.json()["errors"]] == [("/page", error)]

    async def test_the_last_page_that_is_not_too_deep(self, client: httpx.AsyncClient, seller: Person) -> None:
        for limit, page in ((100, 100), (1, 10_000), (24, 416)):
            assert (await read(client, seller=seller.id, limit=limit, page=page))["items"] == []

    async def test_every_wrong_parameter_is_named(self, client: httpx.AsyncClient, seller: Person) -> None:
        for path in (LISTINGS, f"/api/v1/users/{seller.id}/listings"):
            for query, error in (("page=101", "page_too_deep"), ("page=2&cursor=abc", "not_both")):
                reply = await client.get(f"{path}?{query}&limit=100&colour=RED&total=perhaps")
                assert (reply.status_code, reply.json()["code"]) == (422, "validation_failed")
                assert {(item["pointer"], item["code"]) for item in reply.json()["errors"]} == {
                    ("/page", error),
                    ("/colour", "unknown_field"),
                    ("/total", "wrong_type"),
                }


class TestCost:
    async def test_one_round_trip(
        self, client: httpx.AsyncClient, people: People, seller: Person, round_trips: list[str]
    ) -> None:
        viewer = await people.new()
        for query in ("page=1", "page=3", "page=9", "page=3&total=true", "page=9&total=true", "total=true"):
            for asked in ("", "&q=coat", "&sort=price_asc&category=women"):
                for reader in (client, viewer):
                    path = f"/listings?seller={seller.id}&limit=3&{query}{asked}"
                    round_trips.clear()
                    reply = await reader.get(path if reader is viewer else f"/api/v1{path}")
                    assert reply.status_code == 200
                    # Words that nothing is left of may be misspelled; a total says that they are not.
                    past_the_end_of_words = query == "page=9" and asked == "&q=coat"
                    assert len(round_trips) == (2 if past_the_end_of_words else 1), path
                    assert ("count(" in round_trips[0]) == ("total" in query)
                    assert ("OFFSET" in round_trips[0]) == ("page" in query)

    async def test_a_statement_serves_all_pages(self, client: httpx.AsyncClient, seller: Person) -> None:
        await read(client, seller=seller.id, page=1, total=True)
        before = cards.cache_info().currsize
        for number in range(2, 9):
            await read(client, seller=seller.id, page=number, total=True, limit=number)
        assert cards.cache_info().currsize == before


class TestBounds:
    async def test_a_total_ends_at_ten_thousand_and_so_do_pages(
        self, client: httpx.AsyncClient, crowd: Person, sql: Sql
    ) -> None:
        for sort in SORTS:
            reply = await read(client, q="jumper", seller=crowd.id, sort=sort, limit=1, page=1, total=True)
            assert (reply["total"], reply["total_is_exact"], reply["has_more"]) == (10_000, False, True)
        last = await read(client, seller=crowd.id, page=100, limit=100)
        assert (len(last["items"]), last["has_more"]) == (100, True)
        beyond = await read(client, seller=crowd.id, limit=100, cursor=last["next_cursor"])
        assert (len(beyond["items"]), beyond["next_cursor"]) == (1, None)
        whole = await sql.value("SELECT min(listing_id::text) FROM listing_cards WHERE seller_id = $1", UUID(crowd.id))
        await sql.execute("UPDATE listing_cards SET browsable = false WHERE listing_id = $1", UUID(whole))
        reply = await read(client, seller=crowd.id, page=100, limit=100, total=True)
        assert (len(reply["items"]), reply["has_more"], reply["next_cursor"]) == (100, False, None)
        assert (reply["total"], reply["total_is_exact"]) == (10_000, True)

    async def test_relevance_ends_after_a_thousand_by_page_as_by_cursor(
        self, client: httpx.AsyncClient, crowd: Person
    ) -> None:
        asked: dict[str, Any] = {"q": "jumper", "seller": crowd.id, "limit": 100}
        ninth, tenth, eleventh = [await read(client, page=number, **asked) for number in (9, 10, 11)]
        assert (len(ninth["items"]), ninth["has_more"]) == (100, True)
        assert (len(tenth["items"]), tenth["has_more"], tenth["next_cursor"]) == (100, False, None)
        assert (eleventh["items"], eleventh["has_more"], eleventh["next_cursor"]) == ([], False, None)
        by_cursor = await read(client, cursor=ninth["next_cursor"], **asked)
        assert (len(by_cursor["items"]), by_cursor["next_cursor"]) == (100, None)
