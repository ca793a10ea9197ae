"""Making an order: of an item, of a reservation; who may, of what, and what is frozen into it."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
import pytest

from memi.platform.ids import new_id
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from support.deals import Deals
from support.items import whole
from support.orders import Orders, address
from support.people import People, Person
from support.photos import announce, photo, put


async def refused(person: Person, body: dict[str, Any]) -> tuple[int, str]:
    reply = await person.post("/orders", body)
    return reply.status_code, reply.json()["code"]


class TestOfAnItem:
    async def test_takes_the_one_hold(self, orders: Orders, deals: Deals, people: People) -> None:
        seller, buyer = await people.new("Murad"), await people.new("Leyla")
        item = await deals.item(seller)
        reply = await buyer.post("/orders", {"listing_id": item, "delivery": "MEETUP"})
        assert reply.status_code == 201, reply.text
        made = reply.json()
        assert reply.headers["location"] == f"/api/v1/orders/{made['id']}"
        assert reply.headers["etag"].startswith('"1-')
        assert made["status"] == "PENDING"
        assert (made["listing_id"], made["buyer_id"], made["seller_id"]) == (item, buyer.id, seller.id)
        assert (made["title"], made["price"]) == ("Wool coat", {"amount": 4500, "currency": "AZN"})
        assert (made["reservation_id"], made["address"], made["payment_url"], made["cover"]) == (None,) * 4
        assert (made["buyer"]["name"], made["seller"]["name"]) == ("Leyla", "Murad")
        assert await deals.listing_status(item) == "RESERVED"
        row = (await orders.sql.rows("SELECT * FROM listing_holds WHERE listing_id = $1", UUID(item)))[0]
        assert (row["kind"], str(row["holder_id"]), str(row["reference_id"])) == ("ORDER", buyer.id, made["id"])
        await orders.whole()

    async def test_lapses_after_the_configured_hours(self, orders: Orders, settings: Settings) -> None:
        purchase = await orders.new()
        left = "SELECT extract(epoch FROM expires_at - created_at) / 3600 FROM orders WHERE id = $1"
        hours = await orders.sql.value(left, UUID(purchase.id))
        assert float(hours) == pytest.approx(settings.order_pending_hours, abs=0.01)

    async def test_opens_the_chat_with_a_line(self, orders: Orders) -> None:
        purchase = await orders.new()
        assert await orders.lines(purchase) == ["order.created"]
        chats = (await purchase.seller.get("/chats")).json()["items"]
        assert [chat["id"] for chat in chats] == [purchase.made["chat_id"]]

    @pytest.mark.parametrize("status", ["DRAFT", "EXPIRED", "RESERVED", "SOLD", "DELETED", "REMOVED"])
    async def test_needs_an_active_one(self, orders: Orders, deals: Deals, people: People, status: str) -> None:
        seller, buyer = await people.new(), await people.new()
        item = await deals.item(seller)
        if status == "RESERVED":
            assert (await seller.post(f"/listings/{item}/reserve")).status_code == 200
        else:
            before = "SOLD" if status == "REMOVED" else "ACTIVE"
            await orders.sql.execute(
                "UPDATE listings SET status = $2, "
                "previous_status = CASE WHEN $2 IN ('DELETED', 'REMOVED') THEN $3 END, "
                "sold_at = CASE WHEN $2 = 'SOLD' THEN now() END WHERE id = $1",
                UUID(item),
                status,
                before,
            )
        seen = status in ("RESERVED", "SOLD")
        expected = (409, "listing_unavailable") if seen else (404, "not_found")
        assert await refused(buyer, {"listing_id": item, "delivery": "MEETUP"}) == expected
        assert await orders.count(item) == 0
        assert await deals.listing_status(item) == status

    async def test_is_not_for_its_seller_nor_for_nobody(
        self, orders: Orders, deals: Deals, people: People, client: httpx.AsyncClient
    ) -> None:
        seller = await people.new()
        item = await deals.item(seller)
        body = {"listing_id": item, "delivery": "MEETUP"}
        assert await refused(seller, body) == (403, "seller_cannot_order")
        assert (await client.post("/api/v1/orders", json=body)).status_code == 401
        assert await refused(seller, {**body, "listing_id": str(new_id())}) == (404, "not_found")
        assert (await orders.count(item), await deals.listing_status(item)) == (0, "ACTIVE")

    @pytest.mark.parametrize("blocker", ["buyer", "seller"])
    async def test_is_refused_with_a_block_between_them(
        self, orders: Orders, deals: Deals, people: People, blocker: str
    ) -> None:
        buyer, seller = await people.new(), await people.new()
        item = await deals.item(seller)
        one, other = (buyer, seller) if blocker == "buyer" else (seller, buyer)
        assert (await one.put(f"/users/me/blocks/{other.id}")).status_code == 204
        assert await refused(buyer, {"listing_id": item, "delivery": "MEETUP"}) == (403, "chat_blocked")
        assert (await orders.count(item), await deals.listing_status(item)) == (0, "ACTIVE")

    async def test_needs_a_verified_address_where_that_is_required(
        self, orders: Orders, deals: Deals, people: People, runtime: Runtime
    ) -> None:
        item, buyer = await deals.item(await people.new()), await people.new()
        strict = runtime.settings.model_copy(update={"require_verified_email": True})
        runtime.adapters.set(Settings, strict)
        try:
            assert await refused(buyer, {"listing_id": item, "delivery": "MEETUP"}) == (403, "email_not_verified")
        finally:
            runtime.adapters.set(Settings, runtime.settings)
        assert (await orders.count(item), await deals.listing_status(item)) == (0, "ACTIVE")
        assert await orders.sql.value("SELECT count(*) FROM chats WHERE listing_id = $1", UUID(item)) == 0

    async def test_a_second_one_names_the_first(self, orders: Orders) -> None:
        purchase = await orders.new()
        body = {"listing_id": purchase.item, "delivery": "MEETUP"}
        reply = await purchase.buyer.post("/orders", body)
        assert (reply.status_code, reply.json()["code"]) == (409, "order_exists")
        assert reply.json()["order_id"] == purchase.id
        stranger = await orders.people.new()
        reply = await stranger.post("/orders", body)
        assert (reply.status_code, reply.json()["code"]) == (409, "listing_unavailable")
        assert purchase.id not in reply.text
        assert await orders.count(purchase.item) == 1

    async def test_asked_again_with_the_same_key_is_the_same_order(
        self, orders: Orders, deals: Deals, people: People
    ) -> None:
        item, buyer = await deals.item(await people.new()), await people.new()
        body = {"listing_id": item, "delivery": "MEETUP"}
        headers = {"Idempotency-Key": f"order-{item}"}
        first = await buyer.post("/orders", body, headers=headers)
        again = await buyer.post("/orders", body, headers=headers)
        assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
        assert again.headers["idempotent-replayed"] == "true"
        other = await buyer.post("/orders", {**body, "delivery": "SHIPPING"}, headers=headers)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
        assert await orders.count(item) == 1

    async def test_one_whose_time_is_over_is_in_nobodys_way(self, orders: Orders) -> None:
        late = await orders.new()
        await orders.hurry(late)
        fresh = await orders.new(item=late.item, seller=late.seller)
        assert (await late.status(), await fresh.status()) == ("CANCELLED", "PENDING")
        assert (await late.read())["ended_because"] == "lapsed"
        await orders.whole()


class TestOfAReservation:
    async def test_takes_over_its_hold(self, orders: Orders, deals: Deals) -> None:
        deal = await deals.accepted()
        version = await orders.sql.value("SELECT version FROM listings WHERE id = $1", UUID(deal.item))
        purchase, _ = await orders.of_reservation(deal)
        assert purchase.made["reservation_id"] == deal.id
        assert await deals.hold(deal.item) == purchase.id
        row = (await orders.sql.rows("SELECT * FROM listing_holds WHERE listing_id = $1", UUID(deal.item)))[0]
        assert (row["kind"], str(row["holder_id"])) == ("ORDER", deal.buyer.id)
        # Never free in between: the listing itself has not moved.
        assert await orders.sql.value("SELECT version FROM listings WHERE id = $1", UUID(deal.item)) == version
        reservation = (await deal.buyer.get(f"/reservations/{deal.id}")).json()
        assert (reservation["status"], reservation["order_id"]) == ("ACCEPTED", purchase.id)
        await orders.whole()

    async def test_needs_an_accepted_one(self, orders: Orders, deals: Deals) -> None:
        deal = await deals.new()
        body = {"reservation_id": deal.id, "delivery": "MEETUP"}
        reply = await deal.buyer.post("/orders", body)
        assert (reply.status_code, reply.json()["code"]) == (409, "reservation_not_accepted")
        assert reply.json()["current_status"] == "REQUESTED"
        await deal.must(deal.seller, "reject")
        assert await refused(deal.buyer, body) == (409, "reservation_not_accepted")
        assert await orders.count(deal.item) == 0

    async def test_is_too_late_when_its_time_is_over(self, orders: Orders, deals: Deals) -> None:
        deal = await deals.accepted()
        await orders.sql.execute("UPDATE reservations SET expires_at = now() WHERE id = $1", UUID(deal.id))
        reply = await deal.buyer.post("/orders", {"reservation_id": deal.id, "delivery": "MEETUP"})
        assert (reply.status_code, reply.json()["current_status"]) == (409, "EXPIRED")
        assert await orders.count(deal.item) == 0

    async def test_is_its_buyers_alone(self, orders: Orders, deals: Deals, people: People) -> None:
        deal = await deals.accepted()
        body = {"reservation_id": deal.id, "delivery": "MEETUP"}
        assert await refused(await people.new(), body) == (404, "not_found")
        assert await refused(deal.seller, body) == (403, "seller_cannot_order")
        assert await refused(deal.buyer, {**body, "reservation_id": str(new_id())}) == (404, "not_found")
        assert (await orders.count(deal.item), await deals.hold(deal.item)) == (0, deal.id)

    async def test_a_second_one_names_the_first(self, orders: Orders) -> None:
        purchase, deal = await orders.of_reservation()
        reply = await deal.buyer.post("/orders", {"reservation_id": deal.id, "delivery": "MEETUP"})
        assert (reply.status_code, reply.json()["code"]) == (409, "order_exists")
        assert reply.json()["order_id"] == purchase.id


class TestDelivery:
    async def test_the_address_is_frozen_and_the_sellers_to_see(self, orders: Orders) -> None:
        purchase = await orders.shipped()
        frozen = purchase.made["address"]
        assert frozen == {
            "recipient": "Leyla H.",
            "phone": "+994501112233",
            "line1": "Nizami 7",
            "line2": None,
            "city": "BAKU",
            "postal_code": None,
        }
        book = (await purchase.buyer.get("/users/me/addresses")).json()["items"]
        await purchase.buyer.patch(f"/users/me/addresses/{book[0]['id']}", {"line1": "Elsewhere 1"})
        assert (await purchase.read())["address"] == frozen
        assert (await purchase.read(purchase.seller))["address"] == frozen
        await purchase.must(purchase.buyer, "cancel")
        assert (await purchase.read(purchase.seller))["address"] is None
        assert (await purchase.read(purchase.buyer))["address"] == frozen

    async def test_is_not_the_sellers_to_see_before_it_is_paid(self, orders: Orders, payments: None) -> None:
        purchase = await orders.shipped()
        assert (await purchase.read())["address"] is not None
        assert (await purchase.read(purchase.seller))["address"] is None
        listed = (await purchase.seller.get("/orders")).json()["items"]
        assert [(item["id"], item["address"]) for item in listed] == [(purchase.id, None)]

    @pytest.mark.parametrize(
        ("body", "wrong"),
        [
            ({"delivery": "MEETUP"}, {"/listing_id": "required", "/reservation_id": "required"}),
            (
                {"listing_id": str(new_id()), "reservation_id": str(new_id()), "delivery": "SHIPPING"},
                {"/listing_id": "conflicts", "/reservation_id": "conflicts", "/address_id": "required"},
            ),
            ({"listing_id": str(new_id()), "delivery": "SHIPPING"}, {"/address_id": "required"}),
            (
                {"listing_id": str(new_id()), "delivery": "MEETUP", "address_id": str(new_id())},
                {"/address_id": "conflicts"},
            ),
            (
                {"listing_id": str(new_id()), "delivery": "SHIPPING", "address_id": str(new_id())},
                {"/address_id": "unknown_value"},
            ),
            ({"listing_id": "x", "delivery": "PIGEON"}, {"/listing_id": "bad_format", "/delivery": "unknown_value"}),
            ({"listing_id": str(new_id())}, {"/delivery": "required"}),
        ],
    )
    async def test_what_does_not_go_together(self, people: People, body: dict[str, Any], wrong: dict[str, str]) -> None:
        reply = await (await people.new()).post("/orders", body)
        assert (reply.status_code, reply.json()["code"]) == (422, "validation_failed")
        assert {error["pointer"]: error["code"] for error in reply.json()["errors"]} == wrong

    async def test_to_somebody_elses_address(self, orders: Orders, deals: Deals, people: People) -> None:
        item, buyer = await deals.item(await people.new()), await people.new()
        theirs = await address(await people.new())
        reply = await buyer.post("/orders", {"listing_id": item, "delivery": "SHIPPING", "address_id": theirs})
        assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, "/address_id")
        assert (await orders.count(item), await deals.listing_status(item)) == (0, "ACTIVE")


async def test_what_was_agreed_stays_whatever_becomes_of_the_listing(
    orders: Orders, people: People, run_jobs: Callable[[], Awaitable[None]]
) -> None:
    """Through the real way: pictures, publishing, another picture, another name."""
    seller, buyer = await people.new("Murad"), await people.new("Leyla")
    pictures = [await picture(seller, seed) for seed in (1, 2)]
    await run_jobs()
    reply = await seller.post("/listings", whole(publish=True, images=pictures[:1]))
    assert reply.status_code == 201, reply.text
    listing = reply.json()
    purchase = await orders.order(buyer, seller, listing["id"], {"listing_id": listing["id"], "delivery": "MEETUP"})
    assert purchase.made["cover"]["url"] == listing["images"][0]["url"]
    changes = {"title": "Something else", "images": pictures[1:]}
    assert (await seller.patch(f"/listings/{listing['id']}", changes)).status_code == 200
    assert (await seller.patch("/users/me", {"name": "Kamran"})).status_code == 200
    after = await purchase.read()
    for name in ("title", "price", "cover"):
        assert after[name] == purchase.made[name]
    assert after["seller"]["name"] == "Murad"
    claims = "SELECT claimant FROM upload_claims WHERE upload_id = $1"
    assert await orders.sql.value(claims, UUID(pictures[0])) == f"order:{purchase.id}"


async def picture(owner: Person, seed: int) -> str:
    data = photo(seed=seed)
    ticket = await announce(owner, data)
    assert (await put(owner.client, ticket, data)).status_code == 200
    assert (await owner.post(f"/uploads/{ticket['id']}/complete")).status_code == 202
    return ticket["id"]
