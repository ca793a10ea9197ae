"""Rebuilding the read model, and emptying a category, go on where a killed worker left them."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from memi.platform.embedded_postgres import EmbeddedUrls
from support.items import make_listing
from support.people import People
from support.sql import Sql
from support.workers import Workers

LISTINGS = 3000
KILLS = 3

_COPIES = """
INSERT INTO listings (id, seller_id, title, description, price_amount, currency, condition, category_id, status,
                      published_at, expires_at)
SELECT gen_random_uuid(), seller_id, title || ' ' || n, description, price_amount, currency, condition, category_id,
       status, published_at, expires_at
FROM listings CROSS JOIN generate_series(1, $2) AS n WHERE id = $1
"""


@pytest.fixture
def workers(database_urls: EmbeddedUrls, tmp_path: Path) -> Iterator[Workers]:
    made = Workers(database_urls, tmp_path)
    yield made
    made.end()


async def _reach(sql: Sql, query: str, number: int, *arguments: object, seconds: float = 90) -> None:
    async with asyncio.timeout(seconds):
        while await sql.value(query, *arguments) < number:
            await asyncio.sleep(0.02)


async def test_every_card_is_there_in_the_end(people: People, sql: Sql, workers: Workers) -> None:
    admin, seller = await people.admin(), await people.new()
    first = (await make_listing(seller, sql))["id"]
    await sql.execute(_COPIES, UUID(first), LISTINGS)
    assert await sql.value("SELECT count(*) FROM listing_cards") == 1
    made = (await admin.post("/search/index/replay", {"scope": "all"})).json()
    handled = "SELECT handled FROM search_replays WHERE id = $1"
    for kill in range(1, KILLS + 1):
        worker = workers.start()
        await _reach(sql, handled, kill * LISTINGS // (KILLS + 2), UUID(made["id"]))
        worker.kill()
        worker.wait(10)
    assert await sql.value(handled, UUID(made["id"])) < LISTINGS, "all was done before the last kill"
    workers.start()
    finished = "SELECT count(*) FROM search_replays WHERE id = $1 AND finished_at IS NOT NULL"
    await _reach(sql, finished, 1, UUID(made["id"]))
    total = await sql.value("SELECT count(*) FROM listings")
    assert await sql.value("SELECT count(*) FROM listing_cards") == total
    assert await sql.value(handled, UUID(made["id"])) == total, "a batch was counted twice, or left out"
    assert await sql.value("SELECT count(*) FROM dead_jobs") == 0


async def test_a_category_is_emptied_and_goes(people: People, sql: Sql, workers: Workers) -> None:
    admin, seller = await people.admin(), await people.new()
    name = {"az": "Ponçolar", "en": "Ponchos", "ru": "Пончо"}
    for slug in ("old-ponchos", "new-ponchos"):
        reply = await admin.post("/admin/categories", {"slug": slug, "parent": "women-clothes", "name": name})
        assert reply.status_code == 201, reply.text
    first = (await make_listing(seller, sql, category="old-ponchos"))["id"]
    await sql.execute(_COPIES, UUID(first), LISTINGS)
    reply = await admin.delete("/admin/categories/old-ponchos?move_to=new-ponchos")
    assert reply.status_code == 202, reply.text
    there = "SELECT count(*) FROM listings l JOIN categories c ON c.id = l.category_id WHERE c.slug = 'new-ponchos'"
    for kill in range(1, KILLS + 1):
        worker = workers.start()
        await _reach(sql, there, kill * LISTINGS // (KILLS + 2))
        worker.kill()
        worker.wait(10)
    assert await sql.value(there) < LISTINGS, "all was moved before the last kill"
    workers.start()
    await _reach(sql, there, LISTINGS + 1)
    async with asyncio.timeout(30):
        while await sql.value("SELECT count(*) FROM categories WHERE slug = 'old-ponchos'"):
            await asyncio.sleep(0.05)
    cards = "SELECT count(*) FROM listing_cards WHERE tags @> '{category:new-ponchos}'"
    assert await sql.value(cards) == LISTINGS + 1
    versions = "SELECT count(*) FROM listings WHERE version > 3"
    assert await sql.value(versions) == 0, "a batch was moved twice"
    assert await sql.value("SELECT count(*) FROM dead_jobs") == 0
