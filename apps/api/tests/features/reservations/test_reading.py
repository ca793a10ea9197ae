"""One's reservations, one by one and as a list."""

import httpx

from support.deals import Deals
from support.people import People, Person


async def ids(person: Person, query: str = "") -> list[str]:
    reply = await person.get(f"/reservations{query}")
    assert reply.status_code == 200, reply.text
    return [item["id"] for item in reply.json()["items"]]


class TestRead:
    async def test_only_the_two_people(self, client: httpx.AsyncClient, people: People, deals: Deals) -> None:
        deal = await deals.new()
        assert (await client.get(f"/api/v1/reservations/{deal.id}")).status_code == 401
        assert (await (await people.new()).get(f"/reservations/{deal.id}")).status_code == 404
        for person in (deal.buyer, deal.seller):
            assert (await person.get(f"/reservations/{deal.id}")).json()["id"] == deal.id

    async def test_the_stub_stays_when_the_listing_is_gone(self, deals: Deals) -> None:
        deal = await deals.new()
        assert (await deal.seller.delete(f"/listings/{deal.item}")).status_code < 300
        seen = (await deal.buyer.get(f"/reservations/{deal.id}")).json()
        assert seen["status"] == "CANCELLED"
        assert seen["listing"]["title"] == "Wool coat"
        assert seen["listing"]["available"] is False


class TestList:
    async def test_anonymous(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/api/v1/reservations")).status_code == 401

    async def test_by_role_and_status(self, people: People, deals: Deals) -> None:
        person = await people.new()
        sold = await deals.new(seller=person)
        other = await deals.new()
        bought = await deals.request(other.item, person, other.seller)
        assert await ids(person) == [bought.id, sold.id]
        assert await ids(person, "?role=buyer") == [bought.id]
        assert await ids(person, "?role=seller") == [sold.id]
        await bought.must(person, "cancel")
        assert await ids(person, "?status=REQUESTED") == [sold.id]
        assert await ids(person, "?status=REQUESTED&status=CANCELLED") == [bought.id, sold.id]
        assert await ids(person, "?role=seller&status=CANCELLED") == []

    async def test_pages(self, people: People, deals: Deals) -> None:
        seller = await people.new()
        item = await deals.item(seller)
        made = [(await deals.request(item, await people.new(), seller)).id for _ in range(5)]
        seen: list[str] = []
        cursor = ""
        while True:
            page = (await seller.get(f"/reservations?limit=2{cursor}")).json()
            seen += [entry["id"] for entry in page["items"]]
            await deals.request(item, await people.new(), seller)
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert seen == made[::-1]

    async def test_a_cursor_is_of_one_person_and_one_filter(self, people: People, deals: Deals) -> None:
        seller = await people.new()
        item = await deals.item(seller)
        for _ in range(2):
            await deals.request(item, await people.new(), seller)
        cursor = (await seller.get("/reservations?limit=1")).json()["next_cursor"]
        for bad in (
            await (await people.new()).get(f"/reservations?cursor={cursor}"),
            await seller.get(f"/reservations?role=seller&cursor={cursor}"),
        ):
            assert (bad.status_code, bad.json()["code"]) == (422, "invalid_cursor")

    async def test_wrong_parameters_are_named(self, people: People) -> None:
        reply = await (await people.new()).get("/reservations?role=judge&status=WON&limit=101&x=1")
        assert reply.status_code == 422
        assert {error["pointer"] for error in reply.json()["errors"]} >= {"/role", "/limit", "/x"}
