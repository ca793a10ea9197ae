"""A worker that is killed loses nothing and repeats nothing."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.events import EventBus, publish
from memi.platform.runtime import Runtime
from memi.platform.unit_of_work import UnitOfWork
from support import fault_handlers
from support.fault_handlers import Happened
from support.sql import Sql
from support.workers import Workers

EVENTS = 150
KILLS = 4


@pytest.fixture
def workers(database_urls: EmbeddedUrls, tmp_path: Path) -> Iterator[Workers]:
    made = Workers(database_urls, tmp_path)
    yield made
    made.end()


async def _effects(sql: Sql) -> int:
    return await sql.value("SELECT count(*) FROM fault_effects")


async def _reach(sql: Sql, number: int, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while await _effects(sql) < number:
            await asyncio.sleep(0.05)


async def test_every_durable_handler_takes_effect_exactly_once(runtime: Runtime, sql: Sql, workers: Workers) -> None:
    await sql.execute("CREATE TABLE fault_effects (number int); GRANT ALL ON fault_effects TO PUBLIC")
    bus = EventBus([fault_handlers])
    unit_of_work = UnitOfWork(runtime.database, bus, runtime.broker, runtime.adapters)
    for number in range(1, EVENTS + 1):
        async with unit_of_work() as session:
            publish(session, Happened(number))
    for kill in range(1, KILLS + 1):
        pair = [workers.start(), workers.start()]
        await _reach(sql, kill * EVENTS // 4, 60)
        for process in pair:
            process.kill()
            process.wait(10)
    assert await _effects(sql) < 2 * EVENTS, "everything was done before the last kill, which then proves nothing"
    workers.start()
    await _reach(sql, 2 * EVENTS, 90)
    async with asyncio.timeout(30):
        while await sql.value("SELECT count(*) FROM pgqueuer WHERE entrypoint LIKE 'support.%'"):
            await asyncio.sleep(0.2)
    wrong = await sql.rows("SELECT number, count(*) FROM fault_effects GROUP BY number HAVING count(*) <> 1")
    assert wrong == []
    assert await sql.value("SELECT count(DISTINCT number) FROM fault_effects") == 2 * EVENTS
    assert await sql.value("SELECT count(*) FROM dead_jobs") == 0
