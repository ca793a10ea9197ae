"""People, the clock and payments at once: one outcome, which everybody hears alike, and the data stays whole."""

import asyncio
from collections import Counter
from uuid import UUID

from memi.orders.jobs import expire_orders
from memi.platform.runtime import Runtime
from memi.reservations.jobs import expire_reservations
from support.deals import Deals
from support.orders import Orders
from support.paying import Paying
from support.people import People

CROWD = 50
ROUNDS = 6


async def test_of_fifty_buyers_at_once_one_orders(orders: Orders, deals: Deals, people: People) -> None:
    item = await deals.item(await people.new("Murad"))
    buyers = [await people.new() for _ in range(CROWD)]
    body = {"listing_id": item, "delivery": "MEETUP"}
    replies = await asyncio.gather(*(buyer.post("/orders", body) for buyer in buyers))
    assert Counter(reply.status_code for reply in replies) == {201: 1, 409: CROWD - 1}
    assert {reply.json()["code"] for reply in replies if reply.status_code == 409} == {"listing_unavailable"}
    winner = next(reply.json() for reply in replies if reply.status_code == 201)
    assert await deals.hold(item) == winner["id"]
    assert await orders.count(item) == 1
    await orders.whole()


async def test_one_buyer_orders_with_many_hands(orders: Orders, deals: Deals, people: People) -> None:
    item, buyer = await deals.item(await people.new()), await people.new()
    body = {"listing_id": item, "delivery": "MEETUP"}
    replies = await asyncio.gather(*(buyer.post("/orders", body) for _ in range(8)))
    assert Counter(reply.status_code for reply in replies) == {201: 1, 409: 7}
    assert {reply.json()["code"] for reply in replies if reply.status_code == 409} == {"order_exists"}
    assert await orders.count(item) == 1
    await orders.whole()


async def test_an_order_against_an_acceptance(orders: Orders, deals: Deals, people: People) -> None:
    for _ in range(ROUNDS):
        deal, buyer = await deals.new(), await people.new()
        ordered, (accepted, _) = await asyncio.gather(
            buyer.post("/orders", {"listing_id": deal.item, "delivery": "MEETUP"}), deal.move(deal.seller, "accept")
        )
        assert sorted([ordered.status_code, accepted]) in ([200, 409], [201, 409])
        assert await deals.hold(deal.item) == (ordered.json()["id"] if ordered.status_code == 201 else deal.id)
        await orders.whole()


async def test_two_orders_of_one_reservation(orders: Orders, deals: Deals) -> None:
    for _ in range(ROUNDS):
        deal = await deals.accepted()
        body = {"reservation_id": deal.id, "delivery": "MEETUP"}
        replies = await asyncio.gather(*(deal.buyer.post("/orders", body) for _ in range(4)))
        assert Counter(reply.status_code for reply in replies) == {201: 1, 409: 3}
        assert {reply.json()["code"] for reply in replies if reply.status_code == 409} == {"order_exists"}
        assert await orders.count(deal.item) == 1
        await orders.whole()


async def test_an_order_against_the_end_of_its_reservation(orders: Orders, deals: Deals, runtime: Runtime) -> None:
    for wait in (0.002, 0.004, 0.006) * 3:
        deal = await deals.accepted()
        await deals.sql.execute(
            "UPDATE reservations SET expires_at = clock_timestamp() + interval '5 ms' WHERE id = $1", UUID(deal.id)
        )
        await asyncio.sleep(wait)
        reply, _ = await asyncio.gather(
            deal.buyer.post("/orders", {"reservation_id": deal.id, "delivery": "MEETUP"}),
            expire_reservations.run(runtime),
        )
        await expire_reservations.run(runtime)
        if reply.status_code == 201:
            assert (await deal.status(), await deals.hold(deal.item)) == ("ACCEPTED", reply.json()["id"])
        else:
            assert (reply.status_code, reply.json()["code"]) == (409, "reservation_not_accepted")
            assert (await deal.status(), await deals.hold(deal.item)) == ("EXPIRED", None)
        await orders.whole()


async def test_an_order_against_its_reservations_own_moves(orders: Orders, deals: Deals) -> None:
    for move in ("cancel", "complete") * 3:
        deal = await deals.accepted()
        reply, (status, problem) = await asyncio.gather(
            deal.buyer.post("/orders", {"reservation_id": deal.id, "delivery": "MEETUP"}),
            deal.move(deal.seller, move),
        )
        assert sorted([reply.status_code, status]) in ([200, 409], [201, 409])
        if status == 409:
            assert problem["order_id"] == reply.json()["id"]
        await orders.whole()


async def test_complete_against_cancel(orders: Orders, deals: Deals) -> None:
    for reserved in (False, True) * 3:
        purchase = (await orders.of_reservation())[0] if reserved else await orders.new()
        (completed, _), (cancelled, _) = await asyncio.gather(
            purchase.move(purchase.buyer, "complete"), purchase.move(purchase.seller, "cancel")
        )
        assert sorted([completed, cancelled]) == [200, 409]
        assert await purchase.status() == ("COMPLETED" if completed == 200 else "CANCELLED")
        free = "RESERVED" if reserved else "ACTIVE"
        assert await deals.listing_status(purchase.item) == ("SOLD" if completed == 200 else free)
        await orders.whole()


async def test_a_payment_against_cancel(orders: Orders, payments: None, paying: Paying) -> None:
    for _ in range(ROUNDS):
        purchase = await orders.new()
        outcome, (status, _) = await asyncio.gather(paying.succeeds(purchase), purchase.move(purchase.buyer, "cancel"))
        assert (outcome, status) in (("applied", 409), ("refund_requested", 200))
        assert await purchase.status() == ("PAID" if status == 409 else "CANCELLED")
        requested = "SELECT count(*) FROM refund_requests WHERE order_id = $1"
        assert await orders.sql.value(requested, UUID(purchase.id)) == (status == 200)
        await orders.whole()


async def test_the_same_payment_told_many_times_at_once(orders: Orders, payments: None, paying: Paying) -> None:
    purchase = await orders.new()
    outcomes = await asyncio.gather(*(paying.succeeds(purchase) for _ in range(10)))
    assert Counter(outcomes) == {"applied": 1, "unchanged": 9}
    late = await orders.new()
    await late.must(late.buyer, "cancel")
    outcomes = await asyncio.gather(*(paying.succeeds(late) for _ in range(10)))
    assert Counter(outcomes) == {"refund_requested": 1, "unchanged": 9}
    await orders.whole()


async def test_a_payment_against_its_failure_and_the_clock(
    orders: Orders, deals: Deals, runtime: Runtime, payments: None, paying: Paying
) -> None:
    for _ in range(ROUNDS):
        purchase = await orders.new()
        await orders.hurry(purchase)
        paid, failed, _ = await asyncio.gather(
            paying.succeeds(purchase), paying.fails(purchase), expire_orders.run(runtime)
        )
        status = await purchase.status()
        assert status in ("PAID", "PAYMENT_FAILED", "CANCELLED")
        assert (paid == "applied") == (status == "PAID")
        assert (paid == "refund_requested") == (status != "PAID")
        assert (failed == "applied") == (status == "PAYMENT_FAILED")
        assert await deals.listing_status(purchase.item) == ("SOLD" if status == "PAID" else "ACTIVE")
        await orders.whole()


async def test_the_clock_against_complete(orders: Orders, deals: Deals, runtime: Runtime) -> None:
    for reserved in (False, True) * 3:
        purchase = (await orders.of_reservation())[0] if reserved else await orders.new()
        await orders.hurry(purchase, "5 ms")
        await asyncio.sleep(0.004)
        (status, _), _ = await asyncio.gather(purchase.move(purchase.buyer, "complete"), expire_orders.run(runtime))
        await expire_orders.run(runtime)
        assert await purchase.status() == ("COMPLETED" if status == 200 else "CANCELLED")
        await orders.whole()


async def test_an_order_against_the_sellers_moves(orders: Orders, deals: Deals, people: People) -> None:
    for move in ("unpublish", "reserve", "sold") * 2:
        seller, buyer = await people.new(), await people.new()
        item = await deals.item(seller)
        ordered, moved = await asyncio.gather(
            buyer.post("/orders", {"listing_id": item, "delivery": "MEETUP"}), seller.post(f"/listings/{item}/{move}")
        )
        assert ordered.status_code in (201, 404, 409), ordered.text
        # Marking it as sold goes well in either order; the others need it to be free.
        assert (moved.status_code == 200) == (move == "sold" or ordered.status_code != 201), moved.text
        await orders.whole()


async def test_an_order_against_the_blocking_of_its_seller(orders: Orders, deals: Deals, people: People) -> None:
    """Each holds what the other needs: whom the database gives up is tried again, and hears nothing of it."""
    staff = await people.admin()
    for _ in range(ROUNDS):
        seller, buyer = await people.new(), await people.new()
        item = await deals.item(seller)
        ordered, blocked = await asyncio.gather(
            buyer.post("/orders", {"listing_id": item, "delivery": "MEETUP"}),
            staff.post(f"/admin/users/{seller.id}/block", {"reason": "Sells what is not theirs"}),
        )
        assert (ordered.status_code in (201, 404), blocked.status_code) == (True, 200), ordered.text
        still_open = "SELECT count(*) FROM orders WHERE listing_id = $1 AND status = 'PENDING'"
        assert await deals.sql.value(still_open, UUID(item)) == 0
        await orders.whole()
