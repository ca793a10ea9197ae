"""The broker between processes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.pubsub import Broker
from support.sql import Sql

Heard = list[str | None]


@asynccontextmanager
async def started(url: str) -> AsyncIterator[tuple[Broker, Heard]]:
    broker, heard = Broker(url), list[str | None]()
    broker.subscribe("topic", heard.append)
    await broker.start()
    try:
        await until(lambda: broker.connected)
        await asyncio.sleep(0)
        heard.clear()
        yield broker, heard
    finally:
        await broker.close()


async def until(condition: object, seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # pyright: ignore[reportCallIssue]
            await asyncio.sleep(0.01)


@pytest.fixture
async def pair(database_urls: EmbeddedUrls) -> AsyncIterator[tuple[Broker, Heard, Broker, Heard]]:
    async with started(database_urls.app) as (one, heard_by_one), started(database_urls.app) as (two, heard_by_two):
        yield one, heard_by_one, two, heard_by_two


async def drop_connections(urls: EmbeddedUrls) -> int:
    """End the brokers' connections, as a failing network or a restart does."""
    query = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid() AND (query ILIKE 'LISTEN%' OR query LIKE 'SELECT pg_notify%')"
    )
    async with Sql.connect(urls.superuser) as sql:
        return await sql.value(query)


async def test_a_key_reaches_the_other_process(pair: tuple[Broker, Heard, Broker, Heard]) -> None:
    one, heard_by_one, _, heard_by_two = pair
    one.publish("topic", "a")
    assert heard_by_one == ["a"]
    await until(lambda: heard_by_two == ["a"])
    one.publish("other", "b")
    await asyncio.sleep(0.1)
    assert heard_by_two == ["a"]
    assert heard_by_one == ["a"], "a process hears itself once"


async def test_thousands_of_keys_fit_into_notifications(pair: tuple[Broker, Heard, Broker, Heard]) -> None:
    one, _, _, heard_by_two = pair
    keys = [str(uuid4()) for _ in range(3000)]
    for key in keys:
        one.publish("topic", key)
    await until(lambda: len(heard_by_two) >= len(keys))
    assert set(heard_by_two) == set(keys)


async def test_after_a_lost_connection_everyone_hears_that_something_may_be_missed(
    pair: tuple[Broker, Heard, Broker, Heard], database_urls: EmbeddedUrls
) -> None:
    one, heard_by_one, two, heard_by_two = pair
    assert await drop_connections(database_urls) >= 2
    await until(lambda: None in heard_by_one and None in heard_by_two, 2)
    await until(lambda: one.connected and two.connected, 2)
    one.publish("topic", "afterwards")
    await until(lambda: "afterwards" in heard_by_two, 2)


async def test_what_is_published_without_a_connection_is_sent_when_there_is_one(database_urls: EmbeddedUrls) -> None:
    """A listener that was away itself hears None instead: it reads whatever is new."""
    keys = [f"key-{number}" for number in range(400)]
    async with started(database_urls.app) as (_, heard):
        away = Broker(database_urls.app)
        for key in keys:
            away.publish("topic", key)
        await away.start()
        await until(lambda: set(keys) <= set(heard), 4)
        await away.close()


async def test_a_subscriber_that_fails_harms_neither_the_publisher_nor_the_others(
    pair: tuple[Broker, Heard, Broker, Heard],
) -> None:
    one, heard_by_one, two, heard_by_two = pair

    def fail(_key: str | None) -> None:
        raise ValueError("told to")

    one.subscribe("topic", fail)
    two.subscribe("topic", fail)
    late: Heard = []
    two.subscribe("topic", late.append)
    one.publish("topic", "a")
    await until(lambda: late == ["a"])
    assert heard_by_one == heard_by_two == ["a"]
    one.publish("topic", "b")
    await until(lambda: late == ["a", "b"])


async def test_close_ends_its_tasks(database_urls: EmbeddedUrls) -> None:
    before = asyncio.all_tasks()
    async with started(database_urls.app):
        pass
    assert asyncio.all_tasks() <= before


async def test_keys_by_the_hundred_under_a_long_name_all_arrive(database_urls: EmbeddedUrls) -> None:
    """As when hundreds of people are told at once: no more goes into one NOTIFY than it may carry."""
    topic, keys = "a-topic-of-thirty-letters-here", [str(uuid4()) for _ in range(500)]
    async with started(database_urls.app) as (one, _), started(database_urls.app) as (two, _):
        heard = Heard()
        two.subscribe(topic, heard.append)
        for key in keys:
            one.publish(topic, key)
        await until(lambda: set(keys) <= set(heard))
        assert one.connected
