"""What the database alone refuses, whoever writes."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from memi.platform.ids import new_id
from support.deals import Deals
from support.orders import Orders, Purchase

COPY = """
INSERT INTO orders (id, listing_id, buyer_id, seller_id, chat_id, status, delivery, title, price_amount, currency,
                    expires_at)
SELECT $2, listing_id, buyer_id, seller_id, chat_id, $3::text, delivery, title, price_amount, currency,
       CASE WHEN $3::text IN ('PENDING', 'AWAITING_PAYMENT') THEN now() END FROM orders WHERE id = $1
"""


@asynccontextmanager
async def refused(orders: Orders, kind: type[Exception] = asyncpg.CheckViolationError) -> AsyncGenerator[None]:
    """The statements inside break a rule, at the latest when they would be committed."""
    before = await snapshot(orders)
    with pytest.raises(kind):
        async with orders.sql.connection.transaction():
            yield
    assert await snapshot(orders) == before


async def snapshot(orders: Orders) -> list[Any]:
    return [
        await orders.sql.rows(f"SELECT * FROM {table} ORDER BY 1")
        for table in ("orders", "listing_holds", "reservations", "listings")
    ]


async def run(orders: Orders, statement: str, *arguments: Any) -> None:
    await orders.sql.execute(statement, *arguments)


async def test_an_open_order_has_the_hold(orders: Orders) -> None:
    purchase = await orders.new()
    item = UUID(purchase.item)
    async with refused(orders):
        await run(orders, "DELETE FROM listing_holds WHERE listing_id = $1", item)
        await run(orders, "UPDATE listings SET status = 'ACTIVE' WHERE id = $1", item)
    async with refused(orders):
        await run(orders, "UPDATE listing_holds SET reference_id = $2 WHERE listing_id = $1", item, new_id())
    async with refused(orders):
        await run(orders, "UPDATE listing_holds SET kind = 'RESERVATION' WHERE listing_id = $1", item)
    async with refused(orders):
        await run(
            orders, "UPDATE listing_holds SET holder_id = $2 WHERE listing_id = $1", item, UUID(purchase.seller.id)
        )


@pytest.mark.parametrize("status", ["PENDING", "AWAITING_PAYMENT", "PAID", "COMPLETED"])
async def test_an_item_has_one_live_order(orders: Orders, status: str) -> None:
    purchase = await orders.new()
    async with refused(orders, asyncpg.UniqueViolationError):
        await run(orders, COPY, UUID(purchase.id), new_id(), status)


async def test_none_is_made_of_an_item_that_is_free(orders: Orders) -> None:
    purchase = await orders.new()
    await purchase.must(purchase.buyer, "cancel")
    for status in ("PENDING", "AWAITING_PAYMENT", "PAID", "COMPLETED"):
        async with refused(orders):
            await run(orders, COPY, UUID(purchase.id), new_id(), status)


async def test_what_is_completed_is_sold_and_stays_so(orders: Orders) -> None:
    purchase = await orders.new()
    async with refused(orders):
        await run(orders, "UPDATE orders SET status = 'COMPLETED', expires_at = NULL WHERE id = $1", UUID(purchase.id))
    await purchase.must(purchase.buyer, "complete")
    async with refused(orders):
        await run(orders, "UPDATE listings SET status = 'ACTIVE', sold_at = NULL WHERE id = $1", UUID(purchase.item))
    removed = "UPDATE listings SET status = 'REMOVED', previous_status = $2 WHERE id = $1"
    async with refused(orders):
        await run(orders, removed, UUID(purchase.item), "ACTIVE")
    await run(orders, removed, UUID(purchase.item), "SOLD")
    async with refused(orders):
        await run(
            orders,
            "UPDATE listings SET status = 'ACTIVE', previous_status = NULL, sold_at = NULL WHERE id = $1",
            UUID(purchase.item),
        )


@pytest.mark.parametrize(
    "change",
    [
        "price_amount = 1",
        "currency = 'USD'",
        "title = 'x'",
        "delivery = 'MEETUP'",
        """address = '{"line1": "y"}'""",
        "buyer_name = 'x'",
        "seller_name = 'x'",
        "buyer_id = seller_id, seller_id = buyer_id",
        "reservation_id = (SELECT id FROM reservations LIMIT 1)",
    ],
)
async def test_what_was_agreed_cannot_change(orders: Orders, deals: Deals, change: str) -> None:
    await deals.new()
    purchase = await orders.shipped()
    async with refused(orders):
        await run(orders, f"UPDATE orders SET {change} WHERE id = $1", UUID(purchase.id))


async def test_a_payment_is_one_orders(orders: Orders) -> None:
    one, other = await orders.new(), await orders.new()
    await run(orders, "UPDATE orders SET payment_id = 'p1' WHERE id = $1", UUID(one.id))
    async with refused(orders, asyncpg.UniqueViolationError):
        await run(orders, "UPDATE orders SET payment_id = 'p1' WHERE id = $1", UUID(other.id))
    async with refused(orders):
        await run(orders, "UPDATE orders SET payment_id = 'p2' WHERE id = $1", UUID(one.id))


class TestWithAReservation:
    async def test_either_of_the_two_has_the_hold(self, orders: Orders) -> None:
        purchase, deal = await orders.of_reservation()
        async with refused(orders):
            await run(orders, "UPDATE reservations SET order_id = NULL WHERE id = $1", UUID(deal.id))
        async with refused(orders):
            await run(
                orders, "UPDATE orders SET status = 'CANCELLED', expires_at = NULL WHERE id = $1", UUID(purchase.id)
            )
        await self._give_back(orders, purchase, deal.id)
        await orders.whole()

    async def test_a_hold_does_not_move_without_it(self, orders: Orders, deals: Deals) -> None:
        deal, other = await deals.accepted(), await orders.new()
        async with refused(orders):
            await run(
                orders,
                "UPDATE listing_holds SET kind = 'ORDER', reference_id = $2 WHERE listing_id = $1",
                UUID(deal.item),
                UUID(other.id),
            )
        async with refused(orders):
            await run(orders, "UPDATE reservations SET order_id = $2 WHERE id = $1", UUID(deal.id), UUID(other.id))

    async def test_only_an_accepted_one_takes_an_order(self, orders: Orders, deals: Deals) -> None:
        deal, other = await deals.new(), await orders.new()
        async with refused(orders):
            await run(orders, "UPDATE reservations SET order_id = $2 WHERE id = $1", UUID(deal.id), UUID(other.id))

    @staticmethod
    async def _give_back(orders: Orders, purchase: Purchase, reservation_id: str) -> None:
        async with orders.sql.connection.transaction():
            await run(
                orders, "UPDATE orders SET status = 'CANCELLED', expires_at = NULL WHERE id = $1", UUID(purchase.id)
            )
            await run(orders, "UPDATE reservations SET order_id = NULL WHERE id = $1", UUID(reservation_id))
            await run(
                orders,
                "UPDATE listing_holds SET kind = 'RESERVATION', reference_id = $2 WHERE listing_id = $1",
                UUID(purchase.item),
                UUID(reservation_id),
            )
