"""Counting in Valkey, and the breaker that keeps its absence from everybody's way."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from limits import RateLimitItemPerSecond

from memi.platform import limits_valkey
from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.limits_valkey import ANSWER_SECONDS, Unreachable, ValkeyCounter
from memi.platform.settings import ConfigurationError, Settings, load_settings
from support.limits import limited_api, told
from support.service import free_port
from support.valkey import Valkey, running_valkey

ITEM = RateLimitItemPerSecond(10, 60, namespace="test")


@pytest.fixture(scope="module")
def valkey_server() -> Iterator[Valkey]:
    with running_valkey() as valkey:
        yield valkey


@pytest.fixture
def valkey(valkey_server: Valkey) -> Valkey:
    """Running, and empty."""
    valkey_server.kill()
    valkey_server.start()
    return valkey_server


@pytest.fixture
async def counter(valkey: Valkey) -> AsyncIterator[ValkeyCounter]:
    made = ValkeyCounter(valkey.url)
    yield made
    await made.aclose()


async def until_reachable(counter: ValkeyCounter, seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not counter.reachable:
            await asyncio.sleep(0.02)


async def test_two_counters_count_as_one(valkey: Valkey, counter: ValkeyCounter) -> None:
    other = ValkeyCounter(valkey.url)
    try:
        taken = await asyncio.gather(*[(counter, other)[number % 2].take(ITEM, "x") for number in range(40)])
        assert sum(standing.allowed for standing in taken) == 10
        assert sorted(standing.remaining for standing in taken if standing.allowed)[0] == 0
        refused = await other.take(ITEM, "x")
        assert (refused.allowed, refused.remaining) == (False, 0)
        assert 55 < refused.reset <= 60
        assert (await other.take(ITEM, "y")).remaining == 9
    finally:
        await other.aclose()


async def test_what_is_kept_there_says_whose_it_is_and_ends_by_itself(valkey: Valkey, counter: ValkeyCounter) -> None:
    item = RateLimitItemPerSecond(10, 1, namespace="short")
    await counter.take(item, "x")
    assert [key.startswith("memi:limits:") for key in valkey.stored()] == [True]
    await asyncio.sleep(2.2)
    assert valkey.stored() == []


async def test_a_dead_one_is_asked_once_and_then_left_alone_until_it_is_back(
    valkey: Valkey, counter: ValkeyCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits_valkey, "_FIRST_PAUSE", 0.1)
    await counter.take(ITEM, "x")
    valkey.kill()
    with pytest.raises(Unreachable):
        await counter.take(ITEM, "x")
    started = time.perf_counter()
    for _ in range(1000):
        with pytest.raises(Unreachable):
            await counter.take(ITEM, "x")
    assert time.perf_counter() - started < 0.5
    with pytest.raises(Unreachable):
        await counter.ping()
    valkey.start()
    await until_reachable(counter)
    assert (await counter.take(ITEM, "x")).remaining == 9
    assert await counter.ping() < 1000


async def test_one_that_hangs_costs_those_who_are_asking_it_a_moment_and_nobody_else(
    valkey: Valkey, counter: ValkeyCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits_valkey, "_FIRST_PAUSE", 0.1)
    await counter.take(ITEM, "x")
    valkey.hang()
    try:
        started = time.perf_counter()
        outcomes = await asyncio.gather(*[counter.take(ITEM, "x") for _ in range(200)], return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {Unreachable}
        assert ANSWER_SECONDS <= time.perf_counter() - started < ANSWER_SECONDS + 1
        started = time.perf_counter()
        with pytest.raises(Unreachable):
            await counter.take(ITEM, "x")
        assert time.perf_counter() - started < 0.05
        await asyncio.sleep(0.5)
        assert not counter.reachable
    finally:
        valkey.go_on()
    await until_reachable(counter)
    taken = [await counter.take(ITEM, "y") for _ in range(12)]
    assert [standing.allowed for standing in taken] == [True] * 10 + [False] * 2


async def test_one_that_fails_again_and_again_is_left_alone_for_longer(
    valkey: Valkey, counter: ValkeyCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits_valkey, "_FIRST_PAUSE", 0.05)
    pauses: list[float] = []
    for _ in range(4):
        valkey.kill()
        with pytest.raises(Unreachable):
            await counter.take(ITEM, "x")
        pauses.append(counter._pause)  # pyright: ignore[reportPrivateUsage]
        valkey.start()
        await until_reachable(counter)
    assert pauses == [0.05, 0.1, 0.2, 0.4]
    monkeypatch.setattr(limits_valkey, "_SOUND_AFTER", 0.0)
    valkey.kill()
    with pytest.raises(Unreachable):
        await counter.take(ITEM, "x")
    assert counter._pause == 0.05  # pyright: ignore[reportPrivateUsage]


async def test_the_service_starts_and_limits_without_it(settings: Settings, database_urls: EmbeddedUrls) -> None:
    url = f"valkey://127.0.0.1:{free_port()}"
    own = settings.model_validate({**settings.model_dump(), "valkey_url": url})
    async with limited_api(own, database_urls.app) as api, api.client() as client:
        replies = [await client.post("/auth/login", json={}) for _ in range(61)]
        assert [reply.status_code for reply in replies] == [422] * 60 + [429]
        health = (await client.get("http://test/health")).json()
        assert health["dependencies"]["cache"]["status"] == "down"
        assert health["status"] == "degraded"
        assert (await client.get("http://test/health/ready")).status_code == 200


async def test_health_tells_up_and_off(
    valkey: Valkey, settings: Settings, database_urls: EmbeddedUrls, client: httpx.AsyncClient
) -> None:
    off = (await client.get("/health")).json()["dependencies"]["cache"]
    assert off == {"status": "off", "latency_ms": None, "detail": None}
    own = settings.model_validate({**settings.model_dump(), "valkey_url": valkey.url})
    async with limited_api(own, database_urls.app) as api, api.client() as limited_client:
        up = (await limited_client.get("http://test/health")).json()["dependencies"]["cache"]
        assert (up["status"], up["detail"]) == ("up", None)
        assert 0 < up["latency_ms"] < 1000
        reply = await limited_client.post("/auth/login", json={})
        assert told(reply)["login.address"]["r"] == 59
    assert any("login.address" in key for key in valkey.stored())


def test_a_url_of_something_else_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMI_VALKEY_URL", "http://localhost:6379")
    with pytest.raises(ConfigurationError, match="MEMI_VALKEY_URL"):
        load_settings()
