"""Cancel and complete: who may, when, and what becomes of the item and of the reservation."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from memi.platform.runtime import Runtime
from memi.reservations.jobs import expire_reservations
from support.deals import Deals
from support.orders import Orders, Purchase
from support.paying import Paying
from support.people import People

MOVES = ("cancel", "complete")


async def unchanged(orders: Orders, purchase: Purchase, status: str = "PENDING") -> None:
    assert await purchase.status() == status
    assert await orders.deals.hold(purchase.item) == (
        purchase.id if status in ("PENDING", "AWAITING_PAYMENT") else None
    )
    await orders.whole()


@pytest.mark.parametrize("move", MOVES)
class TestEveryMove:
    async def test_anonymous_stranger_and_staff(
        self, client: httpx.AsyncClient, people: People, orders: Orders, move: str
    ) -> None:
        purchase = await orders.new()
        assert (await client.post(f"/api/v1/orders/{purchase.id}/{move}")).status_code == 401
        for person in (await people.new(), await people.moderator()):
            status, problem = await purchase.move(person, move)
            assert (status, problem["code"]) == (404, "not_found")
        await unchanged(orders, purchase)

    @pytest.mark.parametrize("tag", ['"9"', '"0"', "nonsense"])
    async def test_of_a_version_that_is_gone(self, orders: Orders, move: str, tag: str) -> None:
        purchase = await orders.new()
        status, problem = await purchase.move(purchase.buyer, move, headers={"If-Match": tag})
        assert (status, problem["code"]) == (412, "stale_version")
        await unchanged(orders, purchase)

    @pytest.mark.parametrize("side", ["buyer", "seller"])
    async def test_of_the_present_version(self, orders: Orders, move: str, side: str) -> None:
        purchase = await orders.new()
        person = getattr(purchase, side)
        tag = (await person.get(f"/orders/{purchase.id}")).headers["etag"]
        reply = await person.post(f"/orders/{purchase.id}/{move}", headers={"If-Match": tag})
        assert reply.status_code == 200
        assert (tag[:3], reply.headers["etag"][:3]) == ('"1-', '"2-')
        assert reply.json()["status"] == {"cancel": "CANCELLED", "complete": "COMPLETED"}[move]
        assert reply.json()["expires_at"] is None
        await orders.whole()

    @pytest.mark.parametrize("ended", ["cancel", "complete"])
    async def test_of_what_has_ended(self, orders: Orders, move: str, ended: str) -> None:
        purchase = await orders.new()
        before = await purchase.must(purchase.seller, ended)
        status, problem = await purchase.move(purchase.buyer, move)
        assert (status, problem["code"]) == (409, "illegal_transition")
        assert (problem["current_status"], problem["allowed_moves"]) == (before["status"], [])
        assert await purchase.read(purchase.seller) == before

    async def test_of_what_is_over_before_the_clock_has_come_by(self, orders: Orders, move: str) -> None:
        purchase = await orders.new()
        await orders.hurry(purchase)
        status, problem = await purchase.move(purchase.buyer, move)
        assert (status, problem["code"]) == (409, "illegal_transition")
        assert (problem["current_status"], problem["allowed_moves"]) == ("CANCELLED", [])
        await unchanged(orders, purchase)


class TestCancelling:
    @pytest.mark.parametrize("side", ["buyer", "seller"])
    async def test_frees_the_item(self, orders: Orders, deals: Deals, side: str) -> None:
        purchase = await orders.new()
        ended = await purchase.must(getattr(purchase, side), "cancel", {"reason": "Found another one"})
        assert (ended["status"], ended["cancel_reason"], ended["ended_because"]) == (
            "CANCELLED",
            "Found another one",
            None,
        )
        assert (await deals.listing_status(purchase.item), await deals.hold(purchase.item)) == ("ACTIVE", None)
        assert await orders.lines(purchase) == ["order.created", "order.cancelled"]
        again = await orders.new(item=purchase.item, seller=purchase.seller)
        assert again.made["status"] == "PENDING"

    @pytest.mark.parametrize("body", [{"reason": ""}, {"reason": "x" * 501}, {"why": "x"}, {"reason": "a\0b"}])
    async def test_with_a_bad_reason(self, orders: Orders, body: dict[str, Any]) -> None:
        purchase = await orders.new()
        assert (await purchase.move(purchase.buyer, "cancel", body))[0] == 422
        await unchanged(orders, purchase)

    async def test_gives_the_hold_back_to_the_reservation(self, orders: Orders, deals: Deals) -> None:
        purchase, deal = await orders.of_reservation()
        await purchase.must(purchase.buyer, "cancel")
        reservation = (await deal.buyer.get(f"/reservations/{deal.id}")).json()
        assert (reservation["status"], reservation["order_id"]) == ("ACCEPTED", None)
        assert (await deals.hold(deal.item), await deals.listing_status(deal.item)) == (deal.id, "RESERVED")
        row = (await orders.sql.rows("SELECT * FROM listing_holds WHERE listing_id = $1", UUID(deal.item)))[0]
        kept = await orders.sql.value("SELECT expires_at FROM reservations WHERE id = $1", UUID(deal.id))
        assert (row["kind"], row["expires_at"]) == ("RESERVATION", kept)
        await orders.whole()
        await deal.must(deal.seller, "complete")

    async def test_lets_the_reservation_lapse_when_its_time_is_over(self, orders: Orders, deals: Deals) -> None:
        purchase, deal = await orders.of_reservation()
        await orders.sql.execute("UPDATE reservations SET expires_at = now() WHERE id = $1", UUID(deal.id))
        await purchase.must(purchase.seller, "cancel")
        reservation = (await deal.buyer.get(f"/reservations/{deal.id}")).json()
        assert (reservation["status"], reservation["ended_because"]) == ("EXPIRED", "lapsed")
        assert (await deals.hold(deal.item), await deals.listing_status(deal.item)) == (None, "ACTIVE")
        await orders.whole()

    async def test_is_over_once_it_is_paid(self, orders: Orders, payments: None, paying: Paying) -> None:
        purchase = await orders.new()
        assert await paying.succeeds(purchase) == "applied"
        for person in (purchase.buyer, purchase.seller):
            status, problem = await purchase.move(person, "cancel")
            assert (status, problem["code"], problem["current_status"]) == (409, "illegal_transition", "PAID")
        await unchanged(orders, purchase, "PAID")


class TestCompleting:
    @pytest.mark.parametrize("side", ["buyer", "seller"])
    async def test_hand_to_hand_sells_the_item(self, orders: Orders, deals: Deals, people: People, side: str) -> None:
        purchase = await orders.new()
        waiting = await deals.request(purchase.item, await people.new(), purchase.seller)
        ended = await purchase.must(getattr(purchase, side), "complete")
        assert ended["status"] == "COMPLETED"
        assert ended["completed_at"] is not None
        assert await deals.listing_status(purchase.item) == "SOLD"
        assert await waiting.status() == "CANCELLED"
        assert await orders.lines(purchase) == ["order.created", "order.completed"]
        await orders.whole()

    async def test_completes_the_reservation_it_was_made_of(self, orders: Orders, deals: Deals, people: People) -> None:
        deal = await deals.accepted()
        waiting = await deals.request(deal.item, await people.new(), deal.seller)
        purchase, _ = await orders.of_reservation(deal)
        await purchase.must(purchase.buyer, "complete")
        assert (await deal.status(), await waiting.status()) == ("COMPLETED", "CANCELLED")
        assert await deals.listing_status(deal.item) == "SOLD"
        await orders.whole()

    async def test_waits_for_the_payment(self, orders: Orders, payments: None) -> None:
        purchase = await orders.new()
        for person in (purchase.buyer, purchase.seller):
            status, problem = await purchase.move(person, "complete")
            assert (status, problem["code"]) == (409, "illegal_transition")
            assert (problem["current_status"], problem["allowed_moves"]) == ("AWAITING_PAYMENT", ["cancel"])
        await unchanged(orders, purchase, "AWAITING_PAYMENT")

    @pytest.mark.parametrize("side", ["buyer", "seller"])
    async def test_of_what_was_shipped_is_the_buyers(
        self, orders: Orders, payments: None, paying: Paying, side: str
    ) -> None:
        purchase = await orders.shipped()
        await paying.succeeds(purchase)
        status, answer = await purchase.move(getattr(purchase, side), "complete")
        if side == "buyer":
            assert (status, answer["status"]) == (200, "COMPLETED")
        else:
            assert (status, answer["code"]) == (403, "not_your_move")
            await unchanged(orders, purchase, "PAID")
        await orders.whole()

    async def test_of_what_was_paid_and_handed_over_is_the_sellers_too(
        self, orders: Orders, payments: None, paying: Paying
    ) -> None:
        purchase = await orders.new()
        await paying.succeeds(purchase)
        assert (await purchase.must(purchase.seller, "complete"))["status"] == "COMPLETED"
        await orders.whole()


class TestTheReservationMeanwhile:
    @pytest.mark.parametrize("move", ["cancel", "complete", "accept", "reject"])
    async def test_is_not_moved_apart_from_its_order(self, orders: Orders, deals: Deals, move: str) -> None:
        purchase, deal = await orders.of_reservation()
        status, problem = await deal.move(deal.seller, move)
        assert (status, problem["code"]) == (409, "illegal_transition")
        assert (problem["order_id"], problem["allowed_moves"]) == (purchase.id, [])
        assert (await deal.status(), await deals.hold(deal.item)) == ("ACCEPTED", purchase.id)

    async def test_does_not_lapse(self, orders: Orders, deals: Deals, runtime: Runtime) -> None:
        purchase, deal = await orders.of_reservation()
        await orders.sql.execute("UPDATE reservations SET expires_at = now() WHERE id = $1", UUID(deal.id))
        await expire_reservations.run(runtime)
        assert (await deal.status(), await deals.hold(deal.item)) == ("ACCEPTED", purchase.id)
        reply = await deal.buyer.post(f"/listings/{deal.item}/reservations", {})
        assert (reply.status_code, reply.json()["code"]) == (409, "reservation_exists")
        await orders.whole()

    async def test_may_be_ordered_again_after_a_cancelled_order(self, orders: Orders, deals: Deals) -> None:
        first, deal = await orders.of_reservation()
        await first.must(first.buyer, "cancel")
        second, _ = await orders.of_reservation(deal)
        await second.must(second.buyer, "complete")
        assert (await first.status(), await second.status(), await deal.status()) == (
            "CANCELLED",
            "COMPLETED",
            "COMPLETED",
        )
        await orders.whole()
