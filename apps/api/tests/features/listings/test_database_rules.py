"""What the database refuses, whoever asks."""

import asyncpg
import pytest

from support.items import make_listing
from support.people import People
from support.sql import Sql


async def test_reserved_without_a_hold(people: People, sql: Sql) -> None:
    listing = (await make_listing(await people.new(), sql))["id"]
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="reserved: t, held: f"):
        await sql.execute("UPDATE listings SET status = 'RESERVED' WHERE id = $1", listing)
    assert await sql.value("SELECT status FROM listings WHERE id = $1", listing) == "ACTIVE"


async def test_a_hold_without_reserved(people: People, sql: Sql) -> None:
    listing = (await make_listing(await people.new(), sql))["id"]
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="reserved: f, held: t"):
        await sql.execute("INSERT INTO listing_holds (listing_id, kind) VALUES ($1, 'MANUAL')", listing)


async def test_a_reserved_one_keeps_its_hold_and_its_price(people: People, sql: Sql) -> None:
    seller = await people.new()
    listing = (await make_listing(seller, sql))["id"]
    await seller.post(f"/listings/{listing}/reserve")
    for statement in (
        "DELETE FROM listing_holds WHERE listing_id = $1",
        "UPDATE listings SET status = 'ACTIVE' WHERE id = $1",
        "UPDATE listings SET price_amount = 1 WHERE id = $1",
    ):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await sql.execute(statement, listing)


@pytest.mark.parametrize("change", ["title = 'x'", "description = 'x'", "price_amount = 1", "condition = 'FAIR'"])
async def test_what_is_sold_keeps_its_words(people: People, sql: Sql, change: str) -> None:
    seller = await people.new()
    listing = (await make_listing(seller, sql))["id"]
    await seller.post(f"/listings/{listing}/sold")
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="sold"):
        await sql.execute(f"UPDATE listings SET {change} WHERE id = $1", listing)


async def test_a_listing_keeps_its_seller(people: People, sql: Sql) -> None:
    listing = (await make_listing(await people.new(), sql))["id"]
    other = await people.new()
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="keeps its seller"):
        await sql.execute("UPDATE listings SET seller_id = $2 WHERE id = $1", listing, other.id)
