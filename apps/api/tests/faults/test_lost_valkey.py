"""Limits hold across processes while Valkey lives, and the service lives on when it does not."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.limits import POLICIES, Limit
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from support.limits import told
from support.server import ApiProcess, api_processes
from support.valkey import Valkey, running_valkey

CALLS = POLICIES[Limit.LOGIN].address.item.amount


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    with running_valkey() as started:
        yield started


async def log_in(api: ApiProcess, address: str) -> httpx.Response:
    """Counted before its body is read."""
    async with httpx.AsyncClient(base_url=api.url, timeout=10) as client:
        return await client.post("/api/v1/auth/login", json={}, headers={"X-Forwarded-For": address})


async def let_through(apis: list[ApiProcess], address: str, calls: int) -> int:
    """How many of so many calls, in turns to each process, are not refused; each gets an answer."""
    replies = [await log_in(apis[number % len(apis)], address) for number in range(calls)]
    assert {reply.status_code for reply in replies} <= {422, 429}
    return sum(reply.status_code == 422 for reply in replies)


async def health_of(api: ApiProcess) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=api.url) as client:
        return (await client.get("/health")).json()


async def until_cache_is(apis: list[ApiProcess], status: str) -> None:
    async with asyncio.timeout(40):
        for api in apis:
            while (await health_of(api))["dependencies"]["cache"]["status"] != status:
                await asyncio.sleep(0.1)


async def test_limits_hold_across_processes_without_valkey_in_each_and_with_it_again_in_all(
    database_urls: EmbeddedUrls, settings: Settings, runtime: Runtime, valkey: Valkey
) -> None:
    more = {"rate_limits": "on", "valkey_url": valkey.url, "trusted_proxies": "127.0.0.1/32"}
    async with api_processes(database_urls, settings, 2, **more) as apis:
        await until_cache_is(apis, "up")
        assert await let_through(apis, "192.0.2.1", CALLS + 20) == CALLS
        assert [(await log_in(api, "192.0.2.1")).status_code for api in apis] == [429, 429]

        valkey.kill()
        # Nobody waits, nobody is refused for it; from here on each process counts what it sees.
        assert await let_through(apis, "192.0.2.2", 2 * CALLS + 20) == 2 * CALLS
        for api in apis:
            health = await health_of(api)
            assert (health["status"], health["dependencies"]["cache"]["status"]) == ("degraded", "down")
        async with httpx.AsyncClient(base_url=apis[0].url) as client:
            assert (await client.get("/api/v1/listings")).status_code == 200
            assert (await client.get("/health/ready")).status_code == 200

        valkey.start()
        await until_cache_is(apis, "up")
        assert await let_through(apis, "192.0.2.3", CALLS + 20) == CALLS
        assert told(await log_in(apis[0], "192.0.2.4"))["login.address"]["r"] == CALLS - 1
        assert told(await log_in(apis[1], "192.0.2.4"))["login.address"]["r"] == CALLS - 2
        for api in apis:
            assert (await health_of(api))["status"] == "up"
            assert "valkey_unreachable" in api.output()


async def test_calls_at_once_to_several_processes_are_each_counted(
    database_urls: EmbeddedUrls, settings: Settings, runtime: Runtime, valkey: Valkey
) -> None:
    more = {"rate_limits": "on", "valkey_url": valkey.url, "trusted_proxies": "127.0.0.1/32"}
    async with api_processes(database_urls, settings, 2, **more) as apis:
        await until_cache_is(apis, "up")
        replies = await asyncio.gather(*[log_in(apis[number % 2], "192.0.2.9") for number in range(CALLS + 40)])
    assert sum(reply.status_code == 422 for reply in replies) == CALLS
    assert sum(reply.status_code == 429 for reply in replies) == 40
