"""Listings that their owners deleted long ago."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from support.items import make_listing
from support.people import People, Person
from support.sql import Sql
from support.uploads import make_upload

WORDS = {"description": "Worn twice, from my grandmother", "size": "M", "color": "BLACK", "brand": "Atelier Nur"}


async def for_sale(seller: Person, sql: Sql, pictures: int = 3, **changes: Any) -> str:
    """The id of a listing that says all that one can say of an item."""
    images = [await make_upload(sql, seller.id) for _ in range(pictures)]
    listing = await make_listing(seller, sql, images=images, city="BAKU", **WORDS, **changes)
    await sql.execute("UPDATE listings SET lat = 40.4, lon = 49.9 WHERE id = $1", UUID(listing["id"]))
    return listing["id"]


@dataclass
class Talked:
    """An item that somebody has written about."""

    id: str
    chat: str
    seller: Person
    buyer: Person


async def talked_of(people: People, sql: Sql, seller: Person | None = None) -> Talked:
    seller, buyer = seller or await people.new("Murad"), await people.new("Leyla")
    listing = await for_sale(seller, sql)
    reply = await buyer.post(f"/listings/{listing}/chat", {"body": "Is it still there?"})
    assert reply.status_code == 201, reply.text
    return Talked(listing, reply.json()["chat"]["id"], seller, buyer)


async def deleted(seller: Person, sql: Sql, listing: str, days: float = 91) -> None:
    """By its owner, so many days ago."""
    reply = await seller.delete(f"/listings/{listing}")
    assert reply.status_code == 204, reply.text
    await age(sql, listing, days)


async def age(sql: Sql, listing: str, days: float = 91) -> None:
    late = "UPDATE listings SET deleted_at = now() - make_interval(secs => $2 * 86400.0) WHERE id = $1"
    await sql.execute(late, UUID(listing), days)


async def row(sql: Sql, listing: str) -> dict[str, Any] | None:
    found = await sql.rows("SELECT * FROM listings WHERE id = $1", UUID(listing))
    return found[0] if found else None


async def pictures(sql: Sql, listing: str) -> list[str]:
    query = "SELECT upload_id FROM listing_images WHERE listing_id = $1 ORDER BY position"
    return [str(found["upload_id"]) for found in await sql.rows(query, UUID(listing))]


async def claimed(sql: Sql, listing: str) -> set[str]:
    query = "SELECT upload_id FROM upload_claims WHERE claimant = $1"
    return {str(found["upload_id"]) for found in await sql.rows(query, f"listing:{listing}")}


async def is_whole(sql: Sql, listing: str) -> bool:
    found = await row(sql, listing)
    return found is not None and found["purged_at"] is None and found["description"] == WORDS["description"]


async def is_stub(sql: Sql, listing: str) -> bool:
    found = await row(sql, listing)
    return found is not None and found["purged_at"] is not None and found["description"] == ""
