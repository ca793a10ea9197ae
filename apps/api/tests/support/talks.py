"""Chats for tests, made as buyers make them."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from support.bare_items import add_item
from support.people import People, Person
from support.sql import Sql


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
        return await add_item(self.sql, seller, status)

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
