"""Chats for tests, made as buyers make them."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest

from memi.platform.ids import new_id
from support.people import People, Person
from support.sql import Sql

_ITEM = """
INSERT INTO listings (id, seller_id, title, price_amount, currency, condition, category_id, status, version,
                      published_at, expires_at, sold_at)
SELECT $1, $2, 'Wool coat', 4500, 'AZN', (SELECT code FROM conditions ORDER BY code LIMIT 1),
       (SELECT id FROM categories ORDER BY id LIMIT 1), $3, 1, now(), now() + interval '60 days',
       CASE WHEN $3 = 'SOLD' THEN now() END
"""


@dataclass
class Talk:
    """A chat and its two people; the buyer has sent message 1."""

    id: str
    listing_id: str
    buyer: Person
    seller: Person

    async def say(self, person: Person, body: str = "Salam", **more: Any) -> dict[str, Any]:
        reply = await person.post(f"/chats/{self.id}/messages", {"body": body, "client_id": uuid4().hex, **more})
        assert reply.status_code == 201, reply.text
        return reply.json()

    async def seen_by(self, person: Person) -> dict[str, Any]:
        reply = await person.get(f"/chats/{self.id}")
        assert reply.status_code == 200, reply.text
        return reply.json()


class Talks:
    def __init__(self, people: People, sql: Sql) -> None:
        self.people = people
        self.sql = sql

    async def item(self, seller: Person, status: str = "ACTIVE") -> str:
        """The id of a listing without pictures."""
        listing_id = new_id()
        await self.sql.execute(_ITEM, listing_id, UUID(seller.id), status)
        await self.sql.execute("INSERT INTO listing_counters (listing_id) VALUES ($1)", listing_id)
        return str(listing_id)

    async def new(self, buyer: Person | None = None, seller: Person | None = None) -> Talk:
        seller = seller or await self.people.new("Murad")
        buyer = buyer or await self.people.new("Leyla")
        item = await self.item(seller)
        reply = await buyer.post(f"/listings/{item}/chat", {"body": "Is it still there?"})
        assert reply.status_code == 201, reply.text
        return Talk(reply.json()["chat"]["id"], item, buyer, seller)


@pytest.fixture(scope="module")
async def talks(people: People, sql: Sql) -> Talks:
    return Talks(people, sql)
