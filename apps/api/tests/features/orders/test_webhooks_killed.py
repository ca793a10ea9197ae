"""Each event ten times, the newest first, and the process that was at it killed: each effect is there, once."""

import asyncio
import json
import time
from collections.abc import Iterator
from uuid import UUID

import pytest

from memi import parts
from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.job_runner import JobRunner
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from support.orders import Orders
from support.payments import PATH, PaymentsService, environment_of, payments_service, with_payments
from support.server import api_processes
from support.sql import Sql

BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PaymentsService]:
    with payments_service(tmp_path_factory.mktemp("payments")) as running:
        yield running


@pytest.fixture(scope="module")
def settings(settings: Settings, service: PaymentsService) -> Settings:
    return with_payments(settings, service.url)


@pytest.mark.parametrize("newest_first", [True, False], ids=["newest first", "in order"])
async def test_a_killed_process_leaves_all_or_nothing_and_redelivery_makes_it_whole(
    service: PaymentsService, orders: Orders, runtime: Runtime, database_urls: EmbeddedUrls, newest_first: bool
) -> None:
    sql, run_jobs = orders.sql, JobRunner(runtime, parts.JOBS).drain
    service.turn(paused=True, reorder=newest_first, duplicate=9)
    purchase = await orders.new()
    await run_jobs()
    service.press((await purchase.read())["payment_url"], "pay")
    service.refund(await sql.value("SELECT payment_id FROM orders WHERE id = $1", UUID(purchase.id)))
    environment = environment_of(service.url)
    count = "SELECT count(*) FROM webhook_deliveries WHERE order_id = $1"

    async with api_processes(database_urls, runtime.settings, 1, **environment) as (api,):
        service.turn(webhook_url=api.url + PATH)
        async with Sql.connect(database_urls.superuser) as watch:
            async with Sql.connect(database_urls.superuser) as other, other.connection.transaction():
                await other.execute("SELECT FROM listings WHERE id = $1 FOR UPDATE", UUID(purchase.item))
                service.turn(paused=False)
                await until(watch, BLOCKED, 1)  # the delivery is recorded, its effect is about to be made
                api.kill()
                service.turn(paused=True)
            await until(watch, BLOCKED, 0)
    assert await sql.value(count, UUID(purchase.id)) == 0
    assert await purchase.status() == "AWAITING_PAYMENT"

    async with api_processes(database_urls, runtime.settings, 1, **environment) as (api,):
        service.turn(webhook_url=api.url + PATH, paused=False)
        deadline = time.monotonic() + 60
        while service.untold():
            assert time.monotonic() < deadline, api.output()[-3000:]
            await asyncio.sleep(0.1)
        lines = [json.loads(line) for line in api.output().splitlines() if '"payment_event"' in line]
    await run_jobs()
    outcomes = sorted(line["outcome"] for line in lines)
    moved = ["applied", "unchanged"] if newest_first else ["applied", "applied"]
    assert outcomes == sorted(moved + ["duplicate"] * 18), "each was delivered ten times"
    assert await sql.value(count, UUID(purchase.id)) == 2
    assert (await purchase.status(), await orders.deals.listing_status(purchase.item)) == ("REFUNDED", "SOLD")
    changes = ["order.created", "order.refunded"] if newest_first else ["order.created", "order.paid", "order.refunded"]
    assert sorted(await orders.lines(purchase)) == changes
    notes = await sql.rows(
        "SELECT user_id, event, count(*) FROM notifications WHERE data->>'order_id' = $1 GROUP BY 1, 2", purchase.id
    )
    assert {row["count"] for row in notes} == {1}
    assert {row["event"] for row in notes} >= set(changes)
    sold = "SELECT sold_count FROM seller_stats WHERE user_id = $1"
    assert await sql.value(sold, UUID(purchase.seller.id)) == 1
    await orders.whole()


async def until(sql: Sql, query: str, number: int) -> None:
    async with asyncio.timeout(30):
        while await sql.value(query) != number:
            await asyncio.sleep(0.05)
