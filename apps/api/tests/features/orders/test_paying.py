"""What payments do to orders: forward only, each effect once, whatever comes late, again or in another order."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest

from memi.orders import service
from memi.orders.payments import NoPayments, Payments
from memi.platform.ids import new_id
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from support.deals import Deals
from support.orders import Orders, Purchase
from support.paying import Paying

pytestmark = pytest.mark.usefixtures("payments")


async def refunds(orders: Orders, purchase: Purchase) -> list[tuple[Any, ...]]:
    query = "SELECT amount, currency, reason, status, payment_id FROM refund_requests WHERE order_id = $1"
    return [tuple(row.values()) for row in await orders.sql.rows(query, UUID(purchase.id))]


async def flag(orders: Orders, purchase: Purchase) -> str | None:
    return await orders.sql.value("SELECT payment_flag FROM orders WHERE id = $1", UUID(purchase.id))


class TestBeginning:
    async def test_an_order_waits_for_its_payment_from_the_start(
        self, orders: Orders, deals: Deals, settings: Settings
    ) -> None:
        purchase = await orders.new()
        assert (purchase.made["status"], purchase.made["payment_url"]) == ("AWAITING_PAYMENT", None)
        assert purchase.made["version"] == 1
        assert await deals.hold(purchase.item) == purchase.id
        left = "SELECT extract(epoch FROM expires_at - created_at) / 3600 FROM orders WHERE id = $1"
        hours = await orders.sql.value(left, UUID(purchase.id))
        assert float(hours) == pytest.approx(settings.order_payment_hours, abs=0.01)
        await orders.whole()

    async def test_the_page_to_pay_on_is_the_buyers(self, orders: Orders, paying: Paying) -> None:
        purchase = await orders.new()
        assert await paying.begins(purchase) == "applied"
        assert (await purchase.read())["payment_url"] == f"https://pay.example/{paying.id_of(purchase)}"
        assert (await purchase.read(purchase.seller))["payment_url"] is None
        version = (await purchase.read())["version"]
        assert version == 2
        assert await paying.begins(purchase) == "unchanged"
        assert (await purchase.read())["version"] == version

    async def test_of_an_order_that_was_cancelled_meanwhile(self, orders: Orders, paying: Paying) -> None:
        purchase = await orders.new()
        await purchase.must(purchase.buyer, "cancel")
        assert await paying.begins(purchase) == "applied"
        assert await paying.begins(purchase) == "unchanged"
        ended = await purchase.read()
        assert (ended["status"], ended["payment_url"]) == ("CANCELLED", None)
        stored = await orders.sql.value("SELECT payment_id FROM orders WHERE id = $1", UUID(purchase.id))
        assert stored == paying.id_of(purchase)

    async def test_another_payment_of_the_same_order_is_refused(self, orders: Orders, paying: Paying) -> None:
        purchase = await orders.new()
        await paying.begins(purchase)
        assert await paying.begins(purchase, "pay_other") == "mismatch"
        assert await flag(orders, purchase) == "other_payment"
        assert (await purchase.read())["payment_url"] == f"https://pay.example/{paying.id_of(purchase)}"


class TestSuccess:
    async def test_sells_the_item(self, orders: Orders, deals: Deals, paying: Paying) -> None:
        purchase = await orders.new()
        waiting = await deals.new(seller=purchase.seller, item=purchase.item)
        assert await paying.succeeds(purchase) == "applied"
        paid = await purchase.read()
        assert (paid["status"], paid["expires_at"], paid["payment_url"]) == ("PAID", None, None)
        assert paid["paid_at"] is not None
        assert (await deals.listing_status(purchase.item), await waiting.status()) == ("SOLD", "CANCELLED")
        await orders.whole()

    async def test_completes_the_reservation(self, orders: Orders, paying: Paying) -> None:
        purchase, deal = await orders.of_reservation()
        await paying.succeeds(purchase)
        assert (await purchase.status(), await deal.status()) == ("PAID", "COMPLETED")
        await orders.whole()

    async def test_counts_although_the_time_is_over_if_the_clock_has_not_come_by(
        self, orders: Orders, paying: Paying
    ) -> None:
        purchase = await orders.new()
        await orders.hurry(purchase)
        assert await paying.succeeds(purchase) == "applied"
        assert await purchase.status() == "PAID"
        await orders.whole()

    async def test_again_changes_nothing(
        self, orders: Orders, paying: Paying, run_jobs: Callable[[], Awaitable[None]]
    ) -> None:
        purchase = await orders.new()
        await paying.succeeds(purchase)
        before = await purchase.read()
        assert [await paying.succeeds(purchase) for _ in range(3)] == ["unchanged"] * 3
        assert await purchase.read() == before
        await run_jobs()
        assert await orders.lines(purchase) == ["order.created", "order.paid"]
        await purchase.must(purchase.buyer, "complete")
        assert await paying.succeeds(purchase) == "unchanged"
        assert await purchase.status() == "COMPLETED"
        assert await refunds(orders, purchase) == []

    @pytest.mark.parametrize(
        ("told", "why"),
        [
            ({"amount": 4499}, "other_amount"),
            ({"amount": 450000}, "other_amount"),
            ({"currency": "USD"}, "other_amount"),
            ({"payment_id": "pay_other"}, "other_payment"),
        ],
    )
    async def test_that_does_not_fit_is_refused_and_flagged(
        self, orders: Orders, paying: Paying, told: dict[str, Any], why: str
    ) -> None:
        purchase = await orders.new()
        await paying.begins(purchase)
        before = await purchase.read()
        assert await paying.succeeds(purchase, **told) == "mismatch"
        assert await purchase.read() == before
        assert (await flag(orders, purchase), await refunds(orders, purchase)) == (why, [])
        await orders.whole()

    async def test_with_the_payment_of_another_order_is_refused(self, orders: Orders, paying: Paying) -> None:
        one, other = await orders.new(), await orders.new()
        await paying.succeeds(one)
        assert await paying.succeeds(other, payment_id=paying.id_of(one)) == "mismatch"
        assert (await other.status(), await flag(orders, other)) == ("AWAITING_PAYMENT", "other_payment")

    async def test_of_no_order(self, runtime: Runtime) -> None:
        told: dict[str, Any] = {"payment_id": "p", "amount": 1, "currency": "AZN", "at": datetime.now(UTC)}
        async with runtime.unit_of_work() as session:
            assert await service.payment_succeeded(session, new_id(), **told) == "unknown_order"
            assert await service.payment_refunded(session, new_id(), **told) == "unknown_order"
            assert await service.payment_begun(session, new_id(), "p", "https://x") == "unknown_order"
            gone = await service.payment_failed(session, new_id(), payment_id="p", at=datetime.now(UTC))
            assert gone == "unknown_order"


class TestFailure:
    async def test_frees_the_item(self, orders: Orders, deals: Deals, paying: Paying) -> None:
        purchase = await orders.new()
        assert await paying.fails(purchase) == "applied"
        ended = await purchase.read()
        assert (ended["status"], ended["ended_because"]) == ("PAYMENT_FAILED", "payment_failed")
        assert (await deals.listing_status(purchase.item), await deals.hold(purchase.item)) == ("ACTIVE", None)
        assert await paying.fails(purchase) == "unchanged"
        await orders.whole()

    async def test_gives_the_hold_back_to_the_reservation(self, orders: Orders, deals: Deals, paying: Paying) -> None:
        purchase, deal = await orders.of_reservation()
        await paying.fails(purchase)
        assert (await deal.status(), await deals.hold(deal.item)) == ("ACCEPTED", deal.id)
        await orders.whole()

    async def test_after_the_success_changes_nothing(self, orders: Orders, paying: Paying) -> None:
        purchase = await orders.new()
        await paying.succeeds(purchase)
        assert await paying.fails(purchase) == "unchanged"
        assert await purchase.status() == "PAID"

    async def test_of_another_payment_is_refused(self, orders: Orders, paying: Paying) -> None:
        purchase = await orders.new()
        await paying.begins(purchase)
        assert await paying.fails(purchase, payment_id="pay_other") == "mismatch"
        assert await purchase.status() == "AWAITING_PAYMENT"
        await orders.whole()


class TestTooLate:
    @pytest.mark.parametrize("ended", ["cancelled", "payment_failed"])
    async def test_a_payment_becomes_one_refund_request(
        self, orders: Orders, deals: Deals, paying: Paying, runtime: Runtime, ended: str
    ) -> None:
        purchase = await orders.new()
        if ended == "cancelled":
            await purchase.must(purchase.seller, "cancel")
        else:
            await paying.fails(purchase)
        status = await purchase.status()
        assert [await paying.succeeds(purchase) for _ in range(3)] == ["refund_requested", "unchanged", "unchanged"]
        expected = (4500, "AZN", ended, "REQUESTED", paying.id_of(purchase))
        assert await refunds(orders, purchase) == [expected]
        assert await purchase.status() == status
        assert await deals.listing_status(purchase.item) == "ACTIVE"
        async with runtime.unit_of_work() as session:
            assert await service.refund_sent(session, UUID(purchase.id)) is True
            assert await service.refund_sent(session, UUID(purchase.id)) is False
        assert await paying.refunds(purchase) == "applied"
        assert await paying.refunds(purchase) == "unchanged"
        assert await purchase.status() == "REFUNDED"
        assert [row[3] for row in await refunds(orders, purchase)] == ["DONE"]
        assert await deals.listing_status(purchase.item) == "ACTIVE"
        await orders.whole()

    async def test_somebody_else_may_have_bought_it_meanwhile(
        self, orders: Orders, deals: Deals, paying: Paying
    ) -> None:
        late = await orders.new()
        await late.must(late.buyer, "cancel")
        quick = await orders.new(item=late.item, seller=late.seller)
        await paying.succeeds(quick)
        assert await paying.succeeds(late) == "refund_requested"
        assert (await late.status(), await quick.status()) == ("CANCELLED", "PAID")
        await paying.refunds(late)
        assert (await late.status(), await quick.status()) == ("REFUNDED", "PAID")
        assert await deals.listing_status(late.item) == "SOLD"
        await orders.whole()


class TestRefund:
    @pytest.mark.parametrize("before", ["PAID", "COMPLETED"])
    async def test_of_a_sale_leaves_the_item_sold(
        self, orders: Orders, deals: Deals, paying: Paying, before: str
    ) -> None:
        purchase = await orders.new()
        await paying.succeeds(purchase)
        if before == "COMPLETED":
            await purchase.must(purchase.buyer, "complete")
        assert await paying.refunds(purchase) == "applied"
        assert (await purchase.status(), await deals.listing_status(purchase.item)) == ("REFUNDED", "SOLD")
        assert await paying.succeeds(purchase) == "unchanged"
        assert await refunds(orders, purchase) == []
        await orders.whole()

    async def test_of_a_part_is_flagged(self, orders: Orders, paying: Paying) -> None:
        purchase = await orders.new()
        await paying.succeeds(purchase)
        assert await paying.refunds(purchase, amount=100) == "mismatch"
        assert (await purchase.status(), await flag(orders, purchase)) == ("PAID", "other_amount")


@pytest.mark.parametrize("told", list(permutations(["begins", "succeeds", "refunds"])))
async def test_the_end_is_the_same_in_whatever_order_it_is_told(
    orders: Orders, deals: Deals, paying: Paying, told: tuple[str, ...]
) -> None:
    purchase = await orders.new()
    for _ in range(2):
        for name in told:
            assert await getattr(paying, name)(purchase) in ("applied", "unchanged")
    assert (await purchase.status(), await deals.listing_status(purchase.item)) == ("REFUNDED", "SOLD")
    assert await refunds(orders, purchase) == []
    await orders.whole()


async def test_no_payment_moves_an_order_that_settles_hand_to_hand(
    orders: Orders, paying: Paying, runtime: Runtime
) -> None:
    runtime.adapters.set(Payments, NoPayments())  # pyright: ignore[reportAbstractUsage]
    purchase = await orders.new()
    outcomes = [
        await paying.begins(purchase),
        await paying.succeeds(purchase),
        await paying.fails(purchase),
        await paying.refunds(purchase),
    ]
    assert outcomes == ["mismatch"] * 4
    assert (await purchase.status(), await flag(orders, purchase)) == ("PENDING", "never_asked_for")
    await purchase.must(purchase.seller, "complete")
    assert await paying.succeeds(purchase) == "mismatch"
    assert await purchase.status() == "COMPLETED"
