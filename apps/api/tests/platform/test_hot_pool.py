"""Connections for single statements: bounded, never handed on broken, planned as their pool says."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.errors import ServiceBusy
from memi.platform.hot_pool import HotPool
from memi.platform.runtime import Runtime


@pytest.fixture
async def pool(database_urls: EmbeddedUrls) -> AsyncIterator[HotPool]:
    made = HotPool(lambda: asyncpg.connect(database_urls.app), 2, 0.2)
    yield made
    await made.close()


async def backend(pool: HotPool) -> int:
    return (await pool.fetch("SELECT pg_backend_pid()"))[0][0]


async def test_one_connection_serves_one_after_the_other(pool: HotPool) -> None:
    assert len({await backend(pool) for _ in range(5)}) == 1
    assert pool.usage() == (0, 2)


async def test_no_more_connections_than_its_size(pool: HotPool) -> None:
    pids = await asyncio.gather(*(pool.fetch("SELECT pg_backend_pid(), pg_sleep(0.02)") for _ in range(8)))
    assert len({rows[0][0] for rows in pids}) == 2


async def test_who_waits_too_long_is_told_and_harms_nobody(pool: HotPool) -> None:
    busy = [asyncio.create_task(pool.fetch("SELECT pg_sleep(0.5)")) for _ in range(2)]
    await asyncio.sleep(0.05)
    with pytest.raises(ServiceBusy):
        await backend(pool)
    await asyncio.gather(*busy)
    await backend(pool)
    assert pool.usage() == (0, 2)


async def test_nobody_is_overtaken_and_who_leaves_the_line_takes_nothing_along(pool: HotPool) -> None:
    served: list[int] = []

    async def ask(number: int) -> None:
        await pool.fetch("SELECT pg_sleep(0.01)")
        served.append(number)

    line = [asyncio.create_task(ask(number)) for number in range(12)]
    await asyncio.sleep(0)
    for leaver in (line[4], line[7]):
        leaver.cancel()
    await asyncio.gather(*line, return_exceptions=True)
    waited = [number for number in served if number > 1]
    assert sorted(waited) == [2, 3, 5, 6, 8, 9, 10, 11]
    assert all(abs(waited.index(number) - place) <= 1 for place, number in enumerate(sorted(waited)))
    assert pool.usage() == (0, 2)


async def test_who_is_cancelled_in_the_moment_of_their_turn_hands_it_on(pool: HotPool) -> None:
    line: list[asyncio.Task[int]] = []

    async def serve_and_cancel() -> None:
        await pool.fetch("SELECT pg_sleep(0.02)")
        line[0].cancel()  # whose turn was just given, and who has not run since

    busy = [asyncio.create_task(serve_and_cancel()), asyncio.create_task(pool.fetch("SELECT pg_sleep(0.1)"))]
    await asyncio.sleep(0)
    line.extend(asyncio.create_task(backend(pool)) for _ in range(2))
    await asyncio.gather(busy[0], line[1])
    assert line[0].cancelled()
    assert not busy[1].done()
    await busy[1]
    assert pool.usage() == (0, 2)


async def test_a_connection_that_is_lost_leaves_its_place_to_who_waits(pool: HotPool) -> None:
    lost = [asyncio.create_task(pool.fetch("SELECT pg_terminate_backend(pg_backend_pid())")) for _ in range(2)]
    await asyncio.sleep(0)
    waiting = [asyncio.create_task(backend(pool)) for _ in range(4)]
    ends = await asyncio.gather(*lost, return_exceptions=True)
    assert all(isinstance(end, asyncpg.PostgresError | OSError | asyncpg.InterfaceError) for end in ends)
    assert len(await asyncio.gather(*waiting)) == 4
    assert pool.usage() == (0, 2)


async def test_a_statement_that_fails_keeps_its_connection(pool: HotPool) -> None:
    before = await backend(pool)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await pool.fetch("SELECT 1 / 0")
    assert await backend(pool) == before


async def test_a_statement_cut_off_does_not(pool: HotPool) -> None:
    before = await backend(pool)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await pool.fetch("SELECT pg_sleep(5)")
    assert await backend(pool) != before


async def test_a_connection_lost_while_idle_is_replaced(pool: HotPool, database_urls: EmbeddedUrls) -> None:
    before = await backend(pool)
    other = await asyncpg.connect(database_urls.app)
    await other.execute("SELECT pg_terminate_backend($1)", before)
    await other.close()
    await asyncio.sleep(0.1)
    assert await backend(pool) != before


async def test_only_one_of_the_two_plans_each_time(runtime: Runtime) -> None:
    modes = [
        (await pool.fetch("SHOW plan_cache_mode"))[0][0]
        for pool in (runtime.database.hot, runtime.database.hot_by_value)
    ]
    assert modes == ["auto", "force_custom_plan"]
