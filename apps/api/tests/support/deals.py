"""Items for sale and reservations of them, without the way there: no pictures, no publishing."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from support.bare_items import add_item
from support.people import People, Person
from support.sql import Sql


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
        return await add_item(self.sql, seller, status)

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
