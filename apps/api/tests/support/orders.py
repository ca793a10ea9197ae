"""Orders of items for sale, and what must be true of them whatever happened."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from memi.orders.payments import Answer, Call, NoPayments, Payments, Unavailable
from memi.platform.runtime import Runtime
from support.deals import Deal, Deals
from support.people import People, Person
from support.sql import Sql

# Every one must find nothing, at any time. What a deal is, said once more and apart from the triggers.
INVARIANTS = {
    "RESERVED exactly with a hold": """
        SELECT l.id FROM listings l LEFT JOIN listing_holds h ON h.listing_id = l.id
        WHERE (l.status = 'RESERVED') <> (h.listing_id IS NOT NULL)""",
    "an unpaid order has the hold": """
        SELECT o.id FROM orders o WHERE o.status IN ('PENDING', 'AWAITING_PAYMENT') AND NOT EXISTS (
            SELECT FROM listing_holds h WHERE h.listing_id = o.listing_id AND h.kind = 'ORDER'
                AND h.reference_id = o.id AND h.holder_id = o.buyer_id)""",
    "an order's hold is of an unpaid order": """
        SELECT h.listing_id FROM listing_holds h WHERE h.kind = 'ORDER' AND NOT EXISTS (
            SELECT FROM orders o WHERE o.id = h.reference_id AND o.status IN ('PENDING', 'AWAITING_PAYMENT'))""",
    "paid or completed is sold": """
        SELECT o.id FROM orders o JOIN listings l ON l.id = o.listing_id
        WHERE o.status IN ('PAID', 'COMPLETED')
            AND NOT (l.status = 'SOLD' OR (l.status = 'REMOVED' AND l.previous_status = 'SOLD'))""",
    "one live order of an item": """
        SELECT listing_id FROM orders WHERE status IN ('PENDING', 'AWAITING_PAYMENT', 'PAID', 'COMPLETED')
        GROUP BY listing_id HAVING count(*) > 1""",
    "an accepted reservation has the hold, or its order has": """
        SELECT r.id FROM reservations r WHERE r.status = 'ACCEPTED' AND NOT EXISTS (
            SELECT FROM listing_holds h WHERE h.listing_id = r.listing_id AND h.holder_id = r.buyer_id
                AND h.reference_id = coalesce(r.order_id, r.id))""",
    "nothing is open of a sold item": """
        SELECT r.id FROM reservations r JOIN listings l ON l.id = r.listing_id
        WHERE l.status = 'SOLD' AND r.status IN ('REQUESTED', 'ACCEPTED')""",
}


@dataclass
class Purchase:
    """An order, its two people and the item."""

    id: str
    item: str
    buyer: Person
    seller: Person
    made: dict[str, Any]

    async def move(self, person: Person, move: str, body: Any = None, **options: Any) -> tuple[int, dict[str, Any]]:
        reply = await person.post(f"/orders/{self.id}/{move}", body, **options)
        return reply.status_code, reply.json()

    async def must(self, person: Person, move: str, body: Any = None) -> dict[str, Any]:
        status, answer = await self.move(person, move, body)
        assert status == 200, answer
        return answer

    async def read(self, person: Person | None = None) -> dict[str, Any]:
        reply = await (person or self.buyer).get(f"/orders/{self.id}")
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def status(self) -> str:
        return (await self.read())["status"]


class Orders:
    def __init__(self, deals: Deals, people: People, sql: Sql) -> None:
        self.deals = deals
        self.people = people
        self.sql = sql

    async def new(self, *, item: str | None = None, seller: Person | None = None, **body: Any) -> Purchase:
        """A new buyer's order of an ACTIVE item, hand to hand unless said otherwise."""
        seller = seller or await self.people.new("Murad")
        item = item or await self.deals.item(seller)
        buyer = await self.people.new("Leyla")
        return await self.order(buyer, seller, item, {"listing_id": item, "delivery": "MEETUP", **body})

    async def of_reservation(self, deal: Deal | None = None) -> tuple[Purchase, Deal]:
        deal = deal or await self.deals.accepted()
        body = {"reservation_id": deal.id, "delivery": "MEETUP"}
        return await self.order(deal.buyer, deal.seller, deal.item, body), deal

    async def shipped(self) -> Purchase:
        seller, buyer = await self.people.new("Murad"), await self.people.new("Leyla")
        item = await self.deals.item(seller)
        body = {"listing_id": item, "delivery": "SHIPPING", "address_id": await address(buyer)}
        return await self.order(buyer, seller, item, body)

    async def order(self, buyer: Person, seller: Person, item: str, body: dict[str, Any]) -> Purchase:
        reply = await buyer.post("/orders", body)
        assert reply.status_code == 201, reply.text
        return Purchase(reply.json()["id"], item, buyer, seller, reply.json())

    async def hurry(self, purchase: Purchase, after: str = "0 seconds") -> None:
        """Have its time be over, now or shortly."""
        await self.sql.execute(
            f"UPDATE orders SET expires_at = clock_timestamp() + interval '{after}' WHERE id = $1", UUID(purchase.id)
        )

    async def lines(self, purchase: Purchase) -> list[str]:
        """The system lines of the order's chat, in order."""
        rows = await self.sql.rows(
            "SELECT body FROM messages m JOIN orders o USING (chat_id) "
            "WHERE o.id = $1 AND m.kind = 'SYSTEM' ORDER BY m.seq",
            UUID(purchase.id),
        )
        return [row["body"] for row in rows]

    async def count(self, item: str) -> int:
        return await self.sql.value("SELECT count(*) FROM orders WHERE listing_id = $1", UUID(item))

    async def whole(self) -> None:
        """Everything in the database is as it must be."""
        broken = {name: rows for name, query in INVARIANTS.items() if (rows := await self.sql.rows(query))}
        assert broken == {}


async def address(person: Person) -> str:
    """The id of a new entry of the person's address book."""
    body = {"recipient": "Leyla H.", "phone": "+994501112233", "line1": "Nizami 7", "city": "BAKU", "label": "Home"}
    reply = await person.post("/users/me/addresses", body)
    assert reply.status_code == 201, reply.text
    return reply.json()["id"]


class PaymentsElsewhere:
    """Orders are paid through a service; what it is told and tells is not this feature's."""

    configured = True

    async def ask(self, call: Call, request_id: UUID) -> Answer:
        raise Unavailable("unreachable", "it is not part of this test", wait_seconds=3600)

    async def aclose(self) -> None:
        """There is nothing to close."""


@pytest.fixture(scope="module")
async def orders(deals: Deals, people: People, sql: Sql) -> Orders:
    return Orders(deals, people, sql)


@pytest.fixture
async def payments(runtime: Runtime) -> AsyncIterator[None]:
    """While this lasts, orders made wait to be paid."""
    runtime.adapters.set(Payments, PaymentsElsewhere())  # pyright: ignore[reportAbstractUsage]
    yield
    runtime.adapters.set(Payments, NoPayments())  # pyright: ignore[reportAbstractUsage]
