"""Cursors: no page is skipped or repeated while rows come in, and a cursor is good for its own query only."""

import httpx
import pytest

from memi.platform.runtime import Runtime
from memi.search.jobs import consume
from support.items import make_listing
from support.people import People, Person
from support.sql import Sql


@pytest.fixture(scope="module")
async def seller(people: People, sql: Sql) -> Person:
    """Has eleven listings with only three prices, so that ties matter."""
    person = await people.new()
    for number in range(11):
        await make_listing(
            person, sql, title=f"Coat number {number}", price={"amount": 1000 * (1 + number % 3), "currency": "AZN"}
        )
    return person


@pytest.mark.parametrize("sort", ["newest", "price_asc", "price_desc", "relevance"])
async def test_every_row_once_while_others_are_added(
    client: httpx.AsyncClient, people: People, sql: Sql, seller: Person, sort: str
) -> None:
    params = {"sort": sort, "limit": 3, "q": "coat", "seller": seller.id}
    before = [
        item["id"] for item in (await client.get("/api/v1/listings", params={**params, "limit": 100})).json()["items"]
    ]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = (
            await client.get("/api/v1/listings", params={**params, **({"cursor": cursor} if cursor else {})})
        ).json()
        assert len(page["items"]) <= 3
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        await make_listing(seller, sql, title="Coat coat coat", price={"amount": 2000, "currency": "AZN"})
        assert len(seen) < 100
    assert len(seen) == len(set(seen))
    assert [listing_id for listing_id in seen if listing_id in before] == before


async def test_the_last_full_page_has_no_next(client: httpx.AsyncClient, people: People, sql: Sql) -> None:
    person = await people.new()
    for _ in range(2):
        await make_listing(person, sql)
    reply = (await client.get(f"/api/v1/listings?seller={person.id}&limit=2")).json()
    assert (len(reply["items"]), reply["next_cursor"]) == (2, None)


async def test_a_cursor_of_corrected_words_goes_on_with_them(
    client: httpx.AsyncClient, people: People, sql: Sql, seller: Person, runtime: Runtime
) -> None:
    async with runtime.unit_of_work() as session:
        await consume(session)
    params = {"q": "nubmer", "seller": seller.id, "limit": 4, "sort": "newest"}
    first = (await client.get("/api/v1/listings", params=params)).json()
    assert len(first["items"]) == 4
    second = (await client.get("/api/v1/listings", params={**params, "cursor": first["next_cursor"]})).json()
    assert len(second["items"]) == 4
    assert not {item["id"] for item in first["items"]} & {item["id"] for item in second["items"]}


async def test_a_cursor_is_bound_to_filters_and_sort_but_not_to_the_limit(
    client: httpx.AsyncClient, seller: Person
) -> None:
    page = (await client.get(f"/api/v1/listings?seller={seller.id}&limit=2")).json()
    cursor = page["next_cursor"]
    for query in (f"seller={seller.id}&sort=price_asc", "limit=2", "color=RED", f"seller={seller.id}&q=coat"):
        reply = await client.get(f"/api/v1/listings?{query}&cursor={cursor}")
        assert (reply.status_code, reply.json()["code"]) == (422, "invalid_cursor"), query
    assert (await client.get(f"/api/v1/listings?limit=3&seller={seller.id}&cursor={cursor}")).status_code == 200


@pytest.mark.parametrize("cursor", ["x", "AAAA", "ə", "a" * 900, "eyJhIjoxfQ=="])
async def test_a_made_up_cursor(client: httpx.AsyncClient, cursor: str) -> None:
    reply = await client.get("/api/v1/listings", params={"cursor": cursor})
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_cursor")
    assert reply.json()["errors"][0]["pointer"] == "/cursor"
