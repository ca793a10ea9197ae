"""The payments service is away for a while: orders wait, nothing else does, and everything proceeds afterwards."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest

from memi import parts
from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.job_runner import JobRunner
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from support.orders import Orders, Purchase
from support.payments import PATH, PaymentsService, environment_of, payments_service, with_payments
from support.server import ApiProcess, api_processes
from support.sql import Sql

ORDERS = 12
QUICK = {"payments_timeout": 0.5, "payments_breaker_failures": 3, "payments_breaker_seconds": 1.0}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PaymentsService]:
    with payments_service(tmp_path_factory.mktemp("payments")) as running:
        yield running


@pytest.fixture(scope="module")
def settings(settings: Settings, service: PaymentsService) -> Settings:
    """As in production, but for the times."""
    return with_payments(settings, service.url, **QUICK)


@pytest.fixture(scope="module")
async def api(database_urls: EmbeddedUrls, settings: Settings, service: PaymentsService) -> AsyncIterator[ApiProcess]:
    async with api_processes(database_urls, settings, 1, **environment_of(service.url, **QUICK)) as (started,):
        service.turn(webhook_url=started.url + PATH)
        yield started


@pytest.fixture(scope="module")
async def client(api: ApiProcess) -> AsyncIterator[httpx.AsyncClient]:
    """Everybody calls the process over TCP."""
    async with httpx.AsyncClient(base_url=api.url, timeout=20) as opened:
        yield opened


@asynccontextmanager
async def worker(runtime: Runtime) -> AsyncIterator[None]:
    """Another process than the one that answers."""
    runner = JobRunner(runtime, parts.JOBS)
    serving = asyncio.create_task(runner.run())
    try:
        yield
    finally:
        runner.stop()
        await serving


async def health(client: httpx.AsyncClient) -> tuple[str, str, str]:
    reply = await client.get("/health")
    assert reply.status_code == 200
    found = reply.json()["dependencies"]["payments"]
    return reply.json()["status"], found["status"], found["detail"] or ""


async def breaker(client: httpx.AsyncClient) -> set[str]:
    """The states that the metrics show it in."""
    lines = (await client.get("/metrics")).text.splitlines()
    return {line.split('"')[1] for line in lines if line.startswith("memi_payment_breaker{") and line.endswith(" 1.0")}


async def until(what: str, holds: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not await holds():  # pyright: ignore[reportGeneralTypeIssues]
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.1)


async def addresses(made: list[Purchase]) -> list[str | None]:
    return [(await purchase.read())["payment_url"] for purchase in made]


async def test_orders_wait_nothing_blocks_and_all_proceed_afterwards(
    service: PaymentsService, orders: Orders, client: httpx.AsyncClient, runtime: Runtime, sql: Sql
) -> None:
    assert (await health(client))[:2] == ("up", "up")
    service.kill()
    async with worker(runtime):
        made = [await orders.new() for _ in range(ORDERS)]
        slowest = 0.0
        for purchase in made:
            started = time.monotonic()
            assert (await purchase.read())["status"] == "AWAITING_PAYMENT"
            assert (await client.get("/api/v1/listings")).status_code == 200
            slowest = max(slowest, time.monotonic() - started)
        assert slowest < 2

        async def is_open() -> bool:
            whole, payments, detail = await health(client)
            said = (whole, payments) == ("degraded", "down") and "circuit breaker open" in detail
            return said and await breaker(client) == {"open"}

        await until("the breaker is open for all to see", is_open)

        async def told() -> bool:
            return (await made[-1].seller.get("/notifications/unread-count")).json()["count"] > 0

        await until("other jobs are done meanwhile", told, 10)
        started = await sql.value("SELECT count(*) FROM payment_attempts")
        await asyncio.sleep(4)
        asked = await sql.value("SELECT count(*) FROM payment_attempts") - started
        assert 1 <= asked <= 8, "one asks after each pause, for all"
        gone = made.pop()
        await gone.must(gone.buyer, "cancel")

        # It is back, takes connections, and answers nobody.
        service.start()
        service.turn(hang=True)
        await asyncio.sleep(3)
        assert await addresses(made) == [None] * len(made)
        assert await sql.value("SELECT count(*) FROM dead_jobs") == 0

        service.reset()
        service.turn(webhook_url=str(client.base_url).rstrip("/") + PATH)

        async def all_can_pay() -> bool:
            return None not in await addresses(made)

        await until("every order has its address", all_can_pay)

        async def is_closed() -> bool:
            return (await health(client))[:2] == ("up", "up") and await breaker(client) == {"closed"}

        await until("the breaker is closed for all to see", is_closed)
        for address in await addresses(made):
            assert address is not None
            service.press(address, "pay")

        async def all_paid() -> bool:
            return {await purchase.status() for purchase in made} == {"PAID"}

        await until("every order is paid", all_paid)
        assert await gone.status() == "CANCELLED"
    assert await sql.value("SELECT count(*) FROM dead_jobs") == 0
    assert await sql.value("SELECT count(*) FROM orders WHERE status = 'PAID'") == ORDERS - 1
    await orders.whole()
