"""A block between two people: no new requests, the open ones answered as the blocker would, accepted ones kept."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from support.deals import Deal, Deals
from support.people import People, Person
from support.sql import Sql


async def block(one: Person, other: Person) -> None:
    reply = await one.put(f"/users/me/blocks/{other.id}")
    assert reply.status_code == 204, reply.text


async def between(sql: Sql, one: Person, other: Person) -> list[str]:
    people = [UUID(one.id), UUID(other.id)]
    query = "SELECT status FROM reservations WHERE buyer_id = ANY($1) AND seller_id = ANY($1)"
    return [row["status"] for row in await sql.rows(query, people)]


async def heard(person: Person) -> list[str]:
    return [item["event"] for item in (await person.get("/notifications")).json()["items"]]


async def same_by_hand(deals: Deals, move: str) -> dict[str, Any]:
    deal = await deals.new()
    return await deal.must(deal.buyer if move == "cancel" else deal.seller, move)


class TestAsking:
    @pytest.mark.parametrize("blocker", ["buyer", "seller"])
    async def test_is_refused_like_a_blocked_chat(self, deals: Deals, people: People, sql: Sql, blocker: str) -> None:
        buyer, seller = await people.new(), await people.new()
        item = await deals.item(seller)
        await (block(buyer, seller) if blocker == "buyer" else block(seller, buyer))
        reply = await buyer.post(f"/listings/{item}/reservations", {})
        assert (reply.status_code, reply.json()["code"]) == (403, "chat_blocked")
        assert await between(sql, buyer, seller) == []
        assert await sql.value("SELECT count(*) FROM chats WHERE listing_id = $1", UUID(item)) == 0

    async def test_is_possible_again_after_the_block(self, deals: Deals, people: People) -> None:
        buyer, seller = await people.new(), await people.new()
        item = await deals.item(seller)
        await block(buyer, seller)
        await buyer.delete(f"/users/me/blocks/{seller.id}")
        await deals.request(item, buyer, seller)


class TestOpenRequests:
    @pytest.mark.parametrize(
        ("blocker", "status", "move"), [("buyer", "CANCELLED", "cancel"), ("seller", "REJECTED", "reject")]
    )
    async def test_end_as_if_the_blocker_had_answered(
        self, deals: Deals, run_jobs: Callable[[], Awaitable[None]], blocker: str, status: str, move: str
    ) -> None:
        deal = await deals.new()
        one, other = (deal.buyer, deal.seller) if blocker == "buyer" else (deal.seller, deal.buyer)
        await run_jobs()
        before = await heard(one)
        await block(one, other)
        assert await deal.status() == status
        assert await deals.lines(deal) == ["reservation.requested", f"reservation.{status.lower()}"]
        await run_jobs()
        assert (await heard(other))[0] == f"reservation.{status.lower()}"
        assert await heard(one) == before
        # Nothing in it differs from the same done by hand.
        seen = (await other.get(f"/reservations/{deal.id}")).json()
        by_hand = await same_by_hand(deals, move)
        assert {name: seen[name] for name in ("status", "ended_because", "version")} == {
            name: by_hand[name] for name in ("status", "ended_because", "version")
        }

    async def test_on_both_sides_at_once(self, deals: Deals, people: People) -> None:
        one, other = await people.new(), await people.new()
        bought = await deals.request(await deals.item(other), one, other)
        sold = await deals.request(await deals.item(one), other, one)
        await block(one, other)
        assert (await bought.status(), await sold.status()) == ("CANCELLED", "REJECTED")

    async def test_of_others_stay(self, deals: Deals, people: People) -> None:
        seller = await people.new("Murad")
        item = await deals.item(seller)
        first = await deals.new(seller=seller, item=item)
        second = await deals.new(seller=seller, item=item)
        await block(seller, first.buyer)
        assert (await first.status(), await second.status()) == ("REJECTED", "REQUESTED")


class TestAccepted:
    @pytest.mark.parametrize("move", ["complete", "cancel"])
    async def test_stays_and_can_be_brought_to_its_end(self, deals: Deals, move: str) -> None:
        deal = await deals.accepted()
        await block(deal.buyer, deal.seller)
        assert await deal.status() == "ACCEPTED"
        assert await deals.hold(deal.item) == deal.id
        await deal.must(deal.seller, move)


class TestRaces:
    async def test_no_request_is_left_behind_a_block(self, deals: Deals, people: People, sql: Sql) -> None:
        for _ in range(8):
            buyer, seller = await people.new(), await people.new()
            items = [await deals.item(seller) for _ in range(4)]
            blocking, *replies = await asyncio.gather(
                seller.put(f"/users/me/blocks/{buyer.id}"),
                *(buyer.post(f"/listings/{item}/reservations", {}) for item in items),
            )
            assert blocking.status_code == 204
            assert {reply.status_code for reply in replies} <= {201, 403}
            assert set(await between(sql, buyer, seller)) <= {"REJECTED"}

    async def test_accept_against_a_block(self, deals: Deals) -> None:
        for _ in range(6):
            deal: Deal = await deals.new()
            (status, _), blocking = await asyncio.gather(
                deal.move(deal.seller, "accept"), deal.buyer.put(f"/users/me/blocks/{deal.seller.id}")
            )
            assert blocking.status_code == 204
            assert await deal.status() == ("ACCEPTED" if status == 200 else "CANCELLED")
            assert await deals.hold(deal.item) == (deal.id if status == 200 else None)
