"""500 buyers, 50 items, everything at random, the database restarted in between: no item is ever two people's."""

import asyncio
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy.exc import DBAPIError

from memi import wiring
from memi.orders.jobs import expire_orders
from memi.platform.embedded_postgres import EmbeddedPostgres, EmbeddedUrls
from memi.platform.migrations import migrate
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from memi.reservations.jobs import expire_reservations
from support.accounts import accounts, tokens_of
from support.fire import Fire
from support.many_items import items
from support.orders import INVARIANTS
from support.people import Person
from support.postgres import kill_postmaster, wait_until_gone
from support.server import api_processes
from support.sql import Sql

SECONDS = 60
ROUNDS = 5
"""The database is killed in the middle of each, and all is looked at after it."""
BUYERS, SELLERS, ITEMS, PROCESSES, WORKERS = 500, 10, 50, 3, 24
SECRET = "whsec_" + "bWVtaS1tZW1pLW1lbWktbWVtaS1tZW1pLW1lbWk="
PAYMENTS = {
    "payments_url": "http://127.0.0.1:9",
    "payments_token": "a-token-of-this-test",
    "payments_webhook_secrets": SECRET,
}
"""One process is not configured so, as while a configuration is rolled out: some orders settle hand to hand."""
STAYS_AWAY = 2.0
"""So long after PostgreSQL is back a process may still find out that its connections are not."""


@pytest.fixture(scope="module")
def postgres() -> Iterator[EmbeddedPostgres]:
    """Durable, as in production."""
    folder = Path(tempfile.mkdtemp(prefix="memi-test-"))
    folder.chmod(0o711)
    server = EmbeddedPostgres(folder / "postgres")
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
async def database_urls(postgres: EmbeddedPostgres) -> EmbeddedUrls:
    urls = await asyncio.to_thread(postgres.start)
    await asyncio.to_thread(migrate, urls.migrator, urls.app)
    await wiring.seed_reference(urls.migrator)
    return urls


async def on_sale(fire: Fire, sellers: list[Person], sql: Sql) -> None:
    """New items in the place of those that are gone."""
    fire.items = await items(sellers, sql)
    fire.sellers.update(zip(fire.items, sellers, strict=True))


async def pass_time(fire: Fire, urls: EmbeddedUrls, runtime: Runtime, seconds: float) -> None:
    """The clock's jobs come by while everybody acts."""
    until = asyncio.get_running_loop().time() + seconds
    async with Sql.connect(urls.migrator) as sql:
        while asyncio.get_running_loop().time() < until:
            await fire.hurry(sql)
            for job in (expire_orders, expire_reservations):
                try:
                    await job.run(runtime)
                except (DBAPIError, OSError):
                    continue  # a connection of before the restart; a worker comes by again, too
            await asyncio.sleep(0.3)


async def restart(fire: Fire, postgres: EmbeddedPostgres) -> None:
    fire.down = True
    kill_postmaster(postgres)
    await asyncio.to_thread(wait_until_gone, postgres.cluster_dir, 60)
    await asyncio.to_thread(postgres.start)
    await asyncio.sleep(STAYS_AWAY)
    fire.down = False


async def one_round(fire: Fire, postgres: EmbeddedPostgres, urls: EmbeddedUrls, runtime: Runtime) -> None:
    """Half of it before the restart, half after; then all have their answers."""
    over = asyncio.Event()
    burning = asyncio.create_task(fire.burn(WORKERS, over))
    try:
        await pass_time(fire, urls, runtime, SECONDS / ROUNDS / 2)
        await restart(fire, postgres)
        await pass_time(fire, urls, runtime, SECONDS / ROUNDS / 2)
    finally:
        over.set()
        await burning


async def look(fire: Fire, urls: EmbeddedUrls) -> None:
    """Every rule holds, and whatever was acknowledged is so."""
    async with Sql.connect(urls.migrator) as sql:
        broken = {name: rows for name, query in INVARIANTS.items() if (rows := await sql.rows(query))}
        assert broken == {}
        assert await fire.lost(sql) == []
        twice = "SELECT order_id FROM refund_requests GROUP BY order_id HAVING count(*) > 1"
        assert await sql.rows(twice) == []


def summary(fire: Fire, restarts: int) -> str:
    lines = [f"{fire.replies.total()} calls, {len(fire.told) + len(fire.said)} acknowledged, {restarts} restarts"]
    lines += [f"{number:6} {what}" for what, number in sorted(fire.replies.items())]
    return "\n".join([*lines, ""])


async def test_whatever_500_buyers_do_at_once_every_item_is_one_persons(
    postgres: EmbeddedPostgres, database_urls: EmbeddedUrls, settings: Settings, runtime: Runtime
) -> None:
    async with (
        api_processes(database_urls, settings, PROCESSES - 1, **PAYMENTS) as paid,
        api_processes(database_urls, settings, 1) as by_hand,
        httpx.AsyncClient() as client,
    ):
        processes = [*paid, *by_hand]
        async with Sql.connect(database_urls.migrator) as sql:
            buyers = await accounts(BUYERS, client, tokens_of(runtime), sql)
            sellers = (await accounts(SELLERS, client, tokens_of(runtime), sql)) * (ITEMS // SELLERS)
        fire = Fire([api.url for api in processes], SECRET, buyers)
        for number in range(ROUNDS):
            async with Sql.connect(database_urls.migrator) as sql:
                await on_sale(fire, sellers, sql)
            await one_round(fire, postgres, database_urls, runtime)
            await look(fire, database_urls)
            sys.stdout.write(summary(fire, number + 1))
            assert fire.unexpected == []
        assert all(api.process.poll() is None for api in processes)
    assert fire.broken == 0
    done = Counter(told.action for told in fire.told)
    assert set(done) >= {"request", "accept", "reject", "cancel", "complete", "order", "reserve", "unreserve"}, done
    assert fire.said
