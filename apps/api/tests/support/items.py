"""Listings for tests, made as sellers make them."""

from typing import Any

from support.people import Person
from support.sql import Sql
from support.uploads import make_upload

LEAF = "women-clothes-coats-wool"


def whole(**changes: Any) -> dict[str, Any]:
    """A body with all that publishing needs but the pictures."""
    return {
        "title": "Wool coat, hardly worn",
        "price": {"amount": 4500, "currency": "AZN"},
        "condition": "VERY_GOOD",
        "category": LEAF,
        **changes,
    }


async def make_listing(seller: Person, sql: Sql, *, publish: bool = True, **changes: Any) -> dict[str, Any]:
    """A listing with one READY picture, ACTIVE unless `publish` is false."""
    body = whole(publish=publish, **changes)
    if "images" not in body:
        body["images"] = [await make_upload(sql, seller.id)]
    reply = await seller.post("/listings", body)
    assert reply.status_code == 201, reply.text
    return reply.json()
