"""What the clock, the listing's moves, blocks and deletions do to orders, in the same transaction."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from memi.listings import service as listings
from memi.orders.jobs import expire_orders
from memi.platform.runtime import Runtime
from memi.users import service as users
from support.deals import Deals
from support.orders import Orders, Purchase
from support.paying import Paying
from support.people import People

RunJobs = Callable[[], Awaitable[None]]


async def end(purchase: Purchase) -> tuple[str, str | None]:
    order = await purchase.read(purchase.seller)
    return order["status"], order["ended_because"]


async def row(orders: Orders, purchase: Purchase) -> tuple[str, str | None]:
    """Of people who can no longer look themselves."""
    found = (await orders.sql.rows("SELECT status, ended_because FROM orders WHERE id = $1", UUID(purchase.id)))[0]
    return found["status"], found["ended_because"]


class TestTheClock:
    async def test_ends_what_nobody_completed(
        self, orders: Orders, deals: Deals, runtime: Runtime, run_jobs: RunJobs
    ) -> None:
        late, other = await orders.new(), await orders.new()
        await orders.hurry(late)
        await expire_orders.run(runtime)
        await run_jobs()
        assert (await end(late), await end(other)) == (("CANCELLED", "lapsed"), ("PENDING", None))
        assert (await deals.listing_status(late.item), await deals.listing_status(other.item)) == ("ACTIVE", "RESERVED")
        assert await orders.lines(late) == ["order.created", "order.cancelled"]
        await orders.whole()

    async def test_ends_what_nobody_paid(self, orders: Orders, deals: Deals, runtime: Runtime, payments: None) -> None:
        late = await orders.new()
        await orders.hurry(late)
        await expire_orders.run(runtime)
        assert await end(late) == ("CANCELLED", "lapsed")
        assert await deals.listing_status(late.item) == "ACTIVE"
        await orders.whole()

    async def test_gives_the_hold_back_to_the_reservation(self, orders: Orders, deals: Deals, runtime: Runtime) -> None:
        purchase, deal = await orders.of_reservation()
        await orders.hurry(purchase)
        await expire_orders.run(runtime)
        assert await end(purchase) == ("CANCELLED", "lapsed")
        assert (await deal.status(), await deals.hold(deal.item)) == ("ACCEPTED", deal.id)
        await orders.whole()

    async def test_leaves_what_is_paid(self, orders: Orders, runtime: Runtime, payments: None, paying: Paying) -> None:
        purchase = await orders.new()
        await paying.succeeds(purchase)
        await expire_orders.run(runtime)
        assert await end(purchase) == ("PAID", None)

    async def test_ends_more_than_one_batch(
        self, orders: Orders, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        late = [await orders.new() for _ in range(3)]
        for purchase in late:
            await orders.hurry(purchase)
        monkeypatch.setattr("memi.platform.sweeping._BATCH", 2)
        await expire_orders.run(runtime)
        assert [await purchase.status() for purchase in late] == ["CANCELLED"] * 3


class TestTheSellersMoves:
    @pytest.mark.parametrize(
        ("move", "because", "listing"), [("unreserve", "unreserved", "ACTIVE"), ("delete", "deleted", "DELETED")]
    )
    @pytest.mark.parametrize("reserved", [False, True])
    async def test_end_it(
        self, orders: Orders, deals: Deals, move: str, because: str, listing: str, *, reserved: bool
    ) -> None:
        purchase = (await orders.of_reservation())[0] if reserved else await orders.new()
        path = f"/listings/{purchase.item}"
        call = purchase.seller.delete(path) if move == "delete" else purchase.seller.post(f"{path}/{move}")
        assert (await call).status_code in (200, 204)
        assert await end(purchase) == ("CANCELLED", because)
        assert await deals.listing_status(purchase.item) == listing
        if reserved:
            left = "SELECT status FROM reservations WHERE listing_id = $1"
            assert await orders.sql.value(left, UUID(purchase.item)) == "CANCELLED"
        await orders.whole()

    @pytest.mark.parametrize("reserved", [False, True])
    async def test_sold_completes_what_settles_hand_to_hand(
        self, orders: Orders, deals: Deals, *, reserved: bool
    ) -> None:
        deal = await deals.accepted() if reserved else None
        purchase = (await orders.of_reservation(deal))[0] if reserved else await orders.new()
        assert (await purchase.seller.post(f"/listings/{purchase.item}/sold")).status_code == 200
        assert await end(purchase) == ("COMPLETED", "sold")
        assert deal is None or await deal.status() == "COMPLETED"
        await orders.whole()

    @pytest.mark.parametrize("reserved", [False, True])
    async def test_sold_cancels_what_waits_for_a_payment(
        self, orders: Orders, deals: Deals, payments: None, paying: Paying, *, reserved: bool
    ) -> None:
        deal = await deals.accepted() if reserved else None
        purchase = (await orders.of_reservation(deal))[0] if reserved else await orders.new()
        assert (await purchase.seller.post(f"/listings/{purchase.item}/sold")).status_code == 200
        assert await end(purchase) == ("CANCELLED", "sold")
        assert deal is None or await deal.status() == "CANCELLED"
        assert await paying.succeeds(purchase) == "refund_requested"
        await orders.whole()

    async def test_a_manual_reserve_and_its_end_touch_no_order(self, orders: Orders, deals: Deals) -> None:
        purchase = await orders.new()
        await purchase.must(purchase.buyer, "cancel")
        for move in ("reserve", "unreserve", "sold"):
            assert (await purchase.seller.post(f"/listings/{purchase.item}/{move}")).status_code == 200
        assert await end(purchase) == ("CANCELLED", None)


class TestStaff:
    @pytest.mark.parametrize("reserved", [False, True])
    async def test_removing_ends_it(self, orders: Orders, deals: Deals, runtime: Runtime, *, reserved: bool) -> None:
        purchase = (await orders.of_reservation())[0] if reserved else await orders.new()
        async with runtime.unit_of_work() as session:
            await listings.remove(session, UUID(purchase.item))
        assert await end(purchase) == ("CANCELLED", "removed")
        await orders.whole()
        async with runtime.unit_of_work() as session:
            await listings.restore(session, UUID(purchase.item))
        assert await deals.listing_status(purchase.item) == "ACTIVE"
        await orders.whole()

    async def test_removing_leaves_what_is_paid(
        self, orders: Orders, deals: Deals, runtime: Runtime, payments: None, paying: Paying
    ) -> None:
        purchase = await orders.new()
        await paying.succeeds(purchase)
        async with runtime.unit_of_work() as session:
            await listings.remove(session, UUID(purchase.item))
        assert await end(purchase) == ("PAID", None)
        await purchase.must(purchase.buyer, "complete")
        await orders.whole()
        async with runtime.unit_of_work() as session:
            await listings.restore(session, UUID(purchase.item))
        assert await deals.listing_status(purchase.item) == "SOLD"
        await orders.whole()

    @pytest.mark.parametrize("side", ["buyer", "seller"])
    @pytest.mark.parametrize("reserved", [False, True])
    async def test_blocking_either_ends_it(
        self, orders: Orders, deals: Deals, runtime: Runtime, side: str, *, reserved: bool
    ) -> None:
        purchase = (await orders.of_reservation())[0] if reserved else await orders.new()
        async with runtime.unit_of_work() as session:
            await users.block(session, UUID(getattr(purchase, side).id))
        assert await row(orders, purchase) == ("CANCELLED", f"{side}_blocked")
        assert await deals.listing_status(purchase.item) == "ACTIVE"
        left = "SELECT count(*) FROM reservations WHERE listing_id = $1 AND status = 'ACCEPTED'"
        assert await orders.sql.value(left, UUID(purchase.item)) == 0
        await orders.whole()

    @pytest.mark.parametrize("side", ["buyer", "seller"])
    async def test_blocking_either_leaves_what_is_paid(
        self, orders: Orders, runtime: Runtime, payments: None, paying: Paying, side: str
    ) -> None:
        purchase = await orders.new()
        await paying.succeeds(purchase)
        async with runtime.unit_of_work() as session:
            await users.block(session, UUID(getattr(purchase, side).id))
        assert await row(orders, purchase) == ("PAID", None)
        await orders.whole()


@pytest.mark.parametrize("side", ["buyer", "seller"])
async def test_leaving_ends_it(orders: Orders, deals: Deals, side: str) -> None:
    purchase = await orders.new()
    assert (await getattr(purchase, side).delete("/users/me")).status_code == 204
    assert await row(orders, purchase) == ("CANCELLED", f"{side}_deleted")
    await orders.whole()
    other = purchase.seller if side == "buyer" else purchase.buyer
    assert (await purchase.read(other))[side]["name"] == "Deleted user"


@pytest.mark.parametrize("blocker", ["buyer", "seller"])
async def test_a_block_between_the_two_leaves_it_to_them(orders: Orders, people: People, blocker: str) -> None:
    purchase = await orders.new()
    one, other = purchase.buyer, purchase.seller
    if blocker == "seller":
        one, other = other, one
    assert (await one.put(f"/users/me/blocks/{other.id}")).status_code == 204
    assert await end(purchase) == ("PENDING", None)
    await purchase.must(other, "complete")
    await orders.whole()
