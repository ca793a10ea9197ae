"""What the database refuses whatever the code does."""

from uuid import UUID

import asyncpg
import pytest

from memi.platform.embedded_postgres import EmbeddedUrls
from support.deals import Deals
from support.sql import Sql


@pytest.mark.parametrize("status", ["ACCEPTED", "REQUESTED", "COMPLETED"])
async def test_what_has_ended_stays_ended(deals: Deals, sql: Sql, status: str) -> None:
    deal = await deals.new()
    await deal.must(deal.seller, "reject")
    with pytest.raises(asyncpg.CheckViolationError):
        await sql.execute("UPDATE reservations SET status = $2 WHERE id = $1", UUID(deal.id), status)


async def test_nobody_else_takes_a_place_in_it(deals: Deals, sql: Sql) -> None:
    deal, other = await deals.new(), await deals.new()
    with pytest.raises(asyncpg.CheckViolationError):
        await sql.execute("UPDATE reservations SET buyer_id = $2 WHERE id = $1", UUID(deal.id), UUID(other.buyer.id))


async def test_accepted_needs_the_hold(deals: Deals, sql: Sql) -> None:
    deal = await deals.new()
    with pytest.raises(asyncpg.CheckViolationError):
        await sql.execute("UPDATE reservations SET status = 'ACCEPTED' WHERE id = $1", UUID(deal.id))
    assert await deal.status() == "REQUESTED"


async def test_the_hold_does_not_go_without_it(deals: Deals, database_urls: EmbeddedUrls) -> None:
    deal = await deals.accepted()
    service = await asyncpg.connect(database_urls.app)
    try:
        with pytest.raises(asyncpg.PostgresError):
            await service.execute("DELETE FROM listing_holds WHERE listing_id = $1", UUID(deal.item))
    finally:
        await service.close()
    assert await deals.hold(deal.item) == deal.id


async def test_two_cannot_be_accepted(deals: Deals, sql: Sql) -> None:
    deal = await deals.accepted()
    other = await deals.new(seller=deal.seller, item=deal.item)
    with pytest.raises(asyncpg.UniqueViolationError):
        await sql.execute("UPDATE reservations SET status = 'ACCEPTED' WHERE id = $1", UUID(other.id))
