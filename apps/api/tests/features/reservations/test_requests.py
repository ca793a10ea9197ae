"""Asking for an item to be kept."""

from uuid import UUID, uuid4

import httpx
import pytest

from memi.platform.runtime import Runtime
from memi.users import service as users
from support.deals import Deals
from support.people import People
from support.sql import Sql


async def count(sql: Sql, item: str) -> int:
    return await sql.value("SELECT count(*) FROM reservations WHERE listing_id = $1", UUID(item))


class TestRequest:
    async def test_anonymous(self, client: httpx.AsyncClient, people: People, deals: Deals, sql: Sql) -> None:
        item = await deals.item(await people.new())
        assert (await client.post(f"/api/v1/listings/{item}/reservations", json={})).status_code == 401
        assert await count(sql, item) == 0

    async def test_a_buyer_asks(self, people: People, deals: Deals) -> None:
        seller, buyer = await people.new("Murad"), await people.new("Leyla")
        item = await deals.item(seller)
        reply = await buyer.post(f"/listings/{item}/reservations", {"message": "Saturday?"})
        assert reply.status_code == 201, reply.text
        made = reply.json()
        assert made["status"] == "REQUESTED"
        assert (made["listing_id"], made["buyer_id"], made["seller_id"]) == (item, buyer.id, seller.id)
        assert made["message"] == "Saturday?"
        assert made["listing"]["title"] == "Wool coat"
        assert (made["buyer"]["name"], made["seller"]["name"]) == ("Leyla", "Murad")
        assert reply.headers["location"] == f"/api/v1/reservations/{made['id']}"
        assert reply.headers["etag"] == '"1"'
        assert await deals.listing_status(item) == "ACTIVE"

    async def test_a_body_is_not_needed(self, people: People, deals: Deals) -> None:
        item = await deals.item(await people.new())
        assert (await (await people.new()).post(f"/listings/{item}/reservations")).status_code == 201

    async def test_it_lapses_after_the_configured_hours_of_database_time(self, deals: Deals, sql: Sql) -> None:
        deal = await deals.new()
        hours = "extract(epoch FROM expires_at - created_at) / 3600"
        kept = await sql.value(f"SELECT {hours} FROM reservations WHERE id = $1", UUID(deal.id))
        assert abs(float(kept) - 48) < 0.01

    async def test_it_opens_the_chat_and_says_so_there(self, deals: Deals) -> None:
        deal = await deals.new()
        chat_id = (await deal.buyer.get(f"/reservations/{deal.id}")).json()["chat_id"]
        assert (await deal.seller.get(f"/chats/{chat_id}")).status_code == 200
        assert await deals.lines(deal) == ["reservation.requested"]

    async def test_it_uses_the_chat_there_is(self, people: People, deals: Deals) -> None:
        seller, buyer = await people.new(), await people.new()
        item = await deals.item(seller)
        chat = (await buyer.post(f"/listings/{item}/chat", {"body": "Hello"})).json()["chat"]
        deal = await deals.request(item, buyer, seller)
        assert (await buyer.get(f"/reservations/{deal.id}")).json()["chat_id"] == chat["id"]

    async def test_the_seller_cannot(self, people: People, deals: Deals, sql: Sql) -> None:
        seller = await people.new()
        item = await deals.item(seller)
        reply = await seller.post(f"/listings/{item}/reservations", {})
        assert (reply.status_code, reply.json()["code"]) == (403, "seller_cannot_reserve")
        assert await count(sql, item) == 0

    async def test_a_second_one_names_the_first(self, deals: Deals, sql: Sql) -> None:
        deal = await deals.new()
        reply = await deal.buyer.post(f"/listings/{deal.item}/reservations", {})
        assert (reply.status_code, reply.json()["code"]) == (409, "reservation_exists")
        assert reply.json()["reservation_id"] == deal.id
        assert await count(sql, deal.item) == 1

    async def test_after_the_first_has_ended_another_may_be_made(self, deals: Deals) -> None:
        deal = await deals.new()
        await deal.must(deal.buyer, "cancel")
        again = await deals.request(deal.item, deal.buyer, deal.seller)
        assert again.id != deal.id

    async def test_one_that_has_lapsed_unswept_gives_way(self, deals: Deals, sql: Sql) -> None:
        deal = await deals.new()
        await sql.execute("UPDATE reservations SET expires_at = now() WHERE id = $1", UUID(deal.id))
        await deals.request(deal.item, deal.buyer, deal.seller)
        assert await deal.status() == "EXPIRED"

    async def test_a_reserved_item_may_be_asked_for_and_the_request_waits(self, people: People, deals: Deals) -> None:
        first = await deals.accepted()
        second = await deals.request(first.item, await people.new(), first.seller)
        assert await second.status() == "REQUESTED"
        assert await deals.hold(first.item) == first.id

    async def test_a_sold_item_is_unavailable(self, people: People, deals: Deals, sql: Sql) -> None:
        item = await deals.item(await people.new(), "SOLD")
        reply = await (await people.new()).post(f"/listings/{item}/reservations", {})
        assert (reply.status_code, reply.json()["code"]) == (409, "listing_unavailable")
        assert reply.json()["current_status"] == "SOLD"
        assert await count(sql, item) == 0

    @pytest.mark.parametrize("status", ["DRAFT", "EXPIRED"])
    async def test_what_the_buyer_cannot_see_is_404(self, people: People, deals: Deals, status: str) -> None:
        item = await deals.item(await people.new(), status)
        buyer = await people.new()
        assert (await buyer.post(f"/listings/{item}/reservations", {})).status_code == 404
        assert (await buyer.post(f"/listings/{uuid4()}/reservations", {})).status_code == 404

    async def test_a_blocked_chat_refuses(self, people: People, deals: Deals, sql: Sql) -> None:
        seller, buyer = await people.new(), await people.new()
        item = await deals.item(seller)
        chat = (await buyer.post(f"/listings/{item}/chat", {"body": "Hello"})).json()["chat"]
        assert (await seller.put(f"/chats/{chat['id']}/block")).status_code < 300
        reply = await buyer.post(f"/listings/{item}/reservations", {})
        assert (reply.status_code, reply.json()["code"]) == (403, "chat_blocked")
        assert await count(sql, item) == 0

    async def test_a_blocked_seller_has_nothing_to_reserve(
        self, people: People, deals: Deals, runtime: Runtime, sql: Sql
    ) -> None:
        seller = await people.new()
        item = await deals.item(seller)
        async with runtime.unit_of_work() as session:
            await users.block(session, UUID(seller.id))
        assert (await (await people.new()).post(f"/listings/{item}/reservations", {})).status_code == 404
        assert await count(sql, item) == 0

    async def test_wrong_fields_are_named(self, people: People, deals: Deals) -> None:
        item = await deals.item(await people.new())
        buyer = await people.new()
        for body, wrong in (
            ({"message": "x" * 1001, "until": "friday"}, {"/message", "/until"}),
            ({"message": "a\0b"}, {"/message"}),
        ):
            reply = await buyer.post(f"/listings/{item}/reservations", body)
            assert reply.status_code == 422
            assert {error["pointer"] for error in reply.json()["errors"]} == wrong
