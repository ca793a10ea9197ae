"""One's orders: who sees them, in pages, by side and status."""

import httpx
import pytest

from support.orders import Orders, Purchase
from support.people import People


async def test_only_its_two_people_see_it(orders: Orders, people: People, client: httpx.AsyncClient) -> None:
    purchase = await orders.new()
    path = f"/orders/{purchase.id}"
    assert (await client.get(f"/api/v1{path}")).status_code == 401
    for person in (await people.new(), await people.moderator()):
        reply = await person.get(path)
        assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
    for person in (purchase.buyer, purchase.seller):
        reply = await person.get(path)
        assert (reply.status_code, reply.json()) == (200, purchase.made)
        assert reply.headers["etag"].startswith('"1-')
        assert reply.headers["cache-control"] == "private, no-store"


async def test_is_not_sent_again_while_nothing_of_it_changed(orders: Orders) -> None:
    purchase = await orders.new()
    path = f"/orders/{purchase.id}"
    tag = (await purchase.buyer.get(path)).headers["etag"]
    again = await purchase.buyer.get(path, headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert (await purchase.seller.delete("/users/me")).status_code == 204
    after = await purchase.buyer.get(path, headers={"If-None-Match": tag})
    assert (after.status_code, after.json()["seller"]["name"]) == (200, "Deleted user")
    assert after.headers["etag"] != tag


async def test_lists_are_ones_own(orders: Orders, people: People, client: httpx.AsyncClient) -> None:
    purchase = await orders.new()
    assert (await client.get("/api/v1/orders")).status_code == 401
    assert (await (await people.new()).get("/orders")).json() == {"items": [], "next_cursor": None}
    assert (await purchase.buyer.get("/orders")).json()["items"] == [purchase.made]


async def test_by_side_and_status_in_pages(orders: Orders, people: People) -> None:
    person = await people.new()
    sold = [await orders.new(seller=person) for _ in range(3)]
    bought: list[Purchase] = []
    for _ in range(2):
        seller = await people.new()
        item = await orders.deals.item(seller)
        bought.append(await orders.order(person, seller, item, {"listing_id": item, "delivery": "MEETUP"}))
    await sold[0].must(person, "cancel")
    everything = [purchase.id for purchase in [*sold, *bought]][::-1]

    async def ids(**params: object) -> list[str]:
        found: list[str] = []
        cursor = None
        while True:
            asked = {"limit": 2, **params, **({"cursor": cursor} if cursor else {})}
            reply = await person.get("/orders", params=asked)
            assert reply.status_code == 200, reply.text
            found += [item["id"] for item in reply.json()["items"]]
            cursor = reply.json()["next_cursor"]
            if cursor is None:
                return found

    assert await ids() == everything
    assert await ids(role="seller") == [purchase.id for purchase in sold][::-1]
    assert await ids(role="buyer") == [purchase.id for purchase in bought][::-1]
    assert await ids(status="CANCELLED") == [sold[0].id]
    assert await ids(status=["CANCELLED", "PENDING"], role="seller") == [purchase.id for purchase in sold][::-1]
    assert await ids(status="PAID") == []


@pytest.mark.parametrize("params", ["role=owner", "status=OPEN", "limit=0", "limit=101", "page=1", "cursor=x"])
async def test_what_cannot_be_asked(people: People, params: str) -> None:
    reply = await (await people.new()).get(f"/orders?{params}")
    assert reply.status_code == 422


async def test_a_cursor_is_its_persons_and_its_questions(orders: Orders, people: People) -> None:
    seller = await people.new()
    for _ in range(2):
        await orders.new(seller=seller)
    cursor = (await seller.get("/orders?limit=1")).json()["next_cursor"]
    assert cursor is not None
    for person, params in ((seller, "&role=seller"), (await people.new(), "")):
        reply = await person.get(f"/orders?cursor={cursor}{params}")
        assert (reply.status_code, reply.json()["code"]) == (422, "invalid_cursor")
