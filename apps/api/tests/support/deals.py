"""Items for sale and reservations of them, without the way there: no pictures, no publishing."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from memi.platform.ids import new_id
from support.people import People, Person
from support.sql import Sql

_INSERT = """
INSERT INTO listings (id, seller_id, title, price_amount, currency, condition, category_id, status, version,
                      published_at, expires_at, sold_at)
SELECT $1, $2, $3, 4500, 'AZN', (SELECT code FROM conditions ORDER BY code LIMIT 1),
       (SELECT id FROM categories ORDER BY id LIMIT 1), $4, 1, now(), now() + interval '60 days',
       CASE WHEN $4 = 'SOLD' THEN now() END
"""

_COUNT = """
INSERT INTO seller_stats AS s (user_id, active_listing_count) VALUES ($1, 1)
ON CONFLICT (user_id) DO UPDATE SET active_listing_count = s.active_listing_count + 1
"""


@dataclass
class Deal:
    """A reservation, its two people and the item."""

    id: str
    item: str
    buyer: Person
    seller: Person

    async def move(self, person: Person, move: str, **options: Any) -> tuple[int, dict[str, Any]]:
        reply = await person.post(f"/reservations/{self.id}/{move}", **options)
        return reply.status_code, reply.json()

    async def must(self, person: Person, move: str) -> dict[str, Any]:
        status, body = await self.move(person, move)
        assert status == 200, body
        return body

    async def status(self) -> str:
        reply = await self.buyer.get(f"/reservations/{self.id}")
        assert reply.status_code == 200, reply.text
        return reply.json()["status"]


class Deals:
    def __init__(self, people: People, sql: Sql) -> None:
        self.people = people
        self.sql = sql

    async def item(self, seller: Person, status: str = "ACTIVE") -> str:
        """The id of a listing of the seller's."""
        listing_id = new_id()
        await self.sql.execute(_INSERT, listing_id, UUID(seller.id), "Wool coat", status)
        await self.sql.execute("INSERT INTO listing_counters (listing_id) VALUES ($1)", listing_id)
        if status == "ACTIVE":
            await self.sql.execute(_COUNT, UUID(seller.id))
        return str(listing_id)

    async def new(self, *, seller: Person | None = None, item: str | None = None, name: str = "Leyla") -> Deal:
        """A new buyer's request of an item."""
        seller = seller or await self.people.new("Murad")
        item = item or await self.item(seller)
        buyer = await self.people.new(name)
        return await self.request(item, buyer, seller)

    async def request(self, item: str, buyer: Person, seller: Person) -> Deal:
        reply = await buyer.post(f"/listings/{item}/reservations", {})
        assert reply.status_code == 201, reply.text
        return Deal(reply.json()["id"], item, buyer, seller)

    async def accepted(self) -> Deal:
        deal = await self.new()
        await deal.must(deal.seller, "accept")
        return deal

    async def listing_status(self, item: str) -> str:
        return await self.sql.value("SELECT status FROM listings WHERE id = $1", UUID(item))

    async def hold(self, item: str) -> str | None:
        """Whom the item is held for, by the hold's reference."""
        found = await self.sql.value("SELECT reference_id FROM listing_holds WHERE listing_id = $1", UUID(item))
        return str(found) if found else None

    async def lines(self, deal: Deal) -> list[str]:
        """The system lines of the deal's chat, in order."""
        rows = await self.sql.rows(
            "SELECT body FROM messages m JOIN reservations r USING (chat_id) "
            "WHERE r.id = $1 AND m.kind = 'SYSTEM' ORDER BY m.seq",
            UUID(deal.id),
        )
        return [row["body"] for row in rows]


@pytest.fixture(scope="module")
async def deals(people: People, sql: Sql) -> Deals:
    return Deals(people, sql)
