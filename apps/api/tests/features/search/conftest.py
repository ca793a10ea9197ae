"""A small shelf that most tests of browsing read."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from memi.platform.runtime import Runtime
from memi.search.jobs import consume
from support.items import make_listing
from support.people import People, Person
from support.sql import Sql

Browse = Callable[..., Awaitable[list[str]]]


@dataclass
class Shelf:
    """Listings by a short name, made in this order."""

    seller: Person
    other_seller: Person
    ids: dict[str, str] = field(default_factory=dict)

    def names(self, reply: httpx.Response) -> list[str]:
        """Short names of a page's items, in its order."""
        assert reply.status_code == 200, reply.text
        by_id = {listing_id: name for name, listing_id in self.ids.items()}
        return [by_id.get(item["id"], "?") for item in reply.json()["items"]]


ITEMS: dict[str, dict[str, Any]] = {
    "coat": {
        "title": "Qadın yun paltosu",
        "description": "Çox isti, səliqəli saxlanılıb",
        "price": {"amount": 9000, "currency": "AZN"},
        "category": "women-clothes-coats-wool",
        "brand": "Zara",
        "size": "M",
        "color": "BLACK",
        "material": "WOOL",
        "city": "BAKU",
    },
    "dress": {
        "title": "Летнее платье в цветочек",
        "description": "Почти новое, привезено из Италии",
        "price": {"amount": 3000, "currency": "AZN"},
        "category": "women-clothes-dresses-summer",
        "brand": "Mango",
        "size": "S",
        "color": "RED",
        "material": "COTTON",
        "city": "GANJA",
        "condition": "NEW",
    },
    "evening": {
        "title": "Silk evening dress",
        "price": {"amount": 15000, "currency": "AZN"},
        "category": "women-clothes-dresses-evening",
        "brand": "Şəki İpəyi",
        "size": "M",
        "color": "RED",
        "material": "SILK",
        "city": "BAKU",
    },
    "sneakers": {
        "title": "Running sneakers Air",
        "price": {"amount": 6000, "currency": "AZN"},
        "category": "men-shoes-sneakers-running",
        "brand": "Nike",
        "color": "WHITE",
        "city": "BAKU",
        "condition": "GOOD",
    },
}


@pytest.fixture(scope="module")
async def shelf(people: People, sql: Sql, runtime: Runtime) -> Shelf:
    made = Shelf(await people.new("Seller"), await people.new("Other"))
    for name, changes in ITEMS.items():
        seller = made.other_seller if name == "sneakers" else made.seller
        made.ids[name] = (await make_listing(seller, sql, **changes))["id"]
    async with runtime.unit_of_work() as session:
        await consume(session)
    return made


@pytest.fixture
def browse(client: httpx.AsyncClient, shelf: Shelf) -> Browse:
    """Short names of what `GET /listings` shows for a query string."""

    async def get(query: str = "") -> list[str]:
        return shelf.names(await client.get(f"/api/v1/listings?{query}" if query else "/api/v1/listings"))

    return get
