"""A request under an Idempotency-Key, in several processes at once and with one killed in its middle: one effect."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from support.accounts import accounts, tokens_of
from support.deals import Deals
from support.people import People, Person
from support.server import ApiProcess, api_processes
from support.sql import Sql

AT_ONCE = 5
"""Requests to each process."""


@dataclass
class World:
    """Three processes, and one more to be killed at a time."""

    processes: list[ApiProcess]
    urls: EmbeddedUrls
    settings: Settings
    deals: Deals
    client: httpx.AsyncClient
    runtime: Runtime

    async def two_people(self) -> list[Person]:
        return await accounts(2, self.client, tokens_of(self.runtime), self.deals.sql)


@pytest.fixture(scope="module")
async def world(
    people: People, sql: Sql, client: httpx.AsyncClient, runtime: Runtime, database_urls: EmbeddedUrls
) -> AsyncIterator[World]:
    async with api_processes(database_urls, runtime.settings, 3) as started:
        yield World(started, database_urls, runtime.settings, Deals(people, sql), client, runtime)


async def post(api: ApiProcess, person: Person, path: str, body: Any, key: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=api.url, timeout=30) as client:
        headers = {**person.headers, "Idempotency-Key": key}
        return await client.post(f"/api/v1{path}", json=body, headers=headers)


async def until_answered(api: ApiProcess, person: Person, path: str, body: Any, key: str) -> httpx.Response:
    """As a client does: again after `idempotency_in_progress`."""
    async with asyncio.timeout(30):
        while True:
            reply = await post(api, person, path, body, key)
            if reply.status_code != 409 or reply.json()["code"] != "idempotency_in_progress":
                return reply
            await asyncio.sleep(0.1)


async def calls(deals: Deals, buyer: Person, seller: Person) -> list[tuple[str, Any, str]]:
    """(path, body, what counts its effects) of what a buyer does."""
    item, ordered, talked = [await deals.item(seller) for _ in range(3)]
    started = await buyer.post(f"/listings/{talked}/chat", {"body": "Salam"})
    chat = started.json()["chat"]["id"]
    one = f"buyer_id = '{buyer.id}'"
    return [
        ("/listings", {"title": "Red shoes"}, f"SELECT count(*) FROM listings WHERE seller_id = '{buyer.id}'"),
        (f"/listings/{item}/reservations", {}, f"SELECT count(*) FROM reservations WHERE {one}"),
        ("/orders", {"listing_id": ordered, "delivery": "MEETUP"}, f"SELECT count(*) FROM orders WHERE {one}"),
        (f"/chats/{chat}/messages", {"body": "Hm"}, f"SELECT last_seq - 1 FROM chats WHERE id = '{chat}'"),
    ]


async def test_three_processes_given_the_same_key_at_once_have_one_effect(world: World, sql: Sql) -> None:
    buyer, seller = await world.two_people()
    processes = world.processes
    for path, body, effects in await calls(world.deals, buyer, seller):
        key = uuid4().hex
        replies = await asyncio.gather(
            *(post(api, buyer, path, body, key) for api in processes for _ in range(AT_ONCE))
        )
        kinds = Counter((reply.status_code, reply.json().get("code")) for reply in replies)
        assert set(kinds) <= {(201, None), (409, "idempotency_in_progress")}, kinds
        assert len({reply.json()["id"] for reply in replies if reply.status_code == 201}) == 1
        fresh = [reply for reply in replies if reply.status_code == 201 and "idempotent-replayed" not in reply.headers]
        assert len(fresh) == 1
        assert await sql.value(effects) == 1
        later = await post(processes[0], buyer, path, body, key)
        assert (later.status_code, later.headers["idempotent-replayed"]) == (201, "true")
        assert later.json() == fresh[0].json()
        assert await sql.value(effects) == 1


@pytest.mark.parametrize("call", range(4), ids=["listing", "reservation", "order", "message"])
async def test_after_a_kill_in_the_middle_the_retry_has_the_effect_once(call: int, world: World, sql: Sql) -> None:
    """The row of the key is held back, so that the effect is written, nothing committed, and nobody answered."""
    (buyer, seller), processes = await world.two_people(), world.processes
    path, body, effects = (await calls(world.deals, buyer, seller))[call]
    key = uuid4().hex
    async with (
        api_processes(world.urls, world.settings, 1) as (doomed,),
        Sql.connect(world.urls.migrator) as other,
        Sql.connect(world.urls.superuser) as watcher,
    ):
        await other.execute("BEGIN")
        await other.execute(
            "INSERT INTO idempotency_keys (user_id, key, fingerprint, status, headers, body) "
            "VALUES ($1, $2, 'x', 200, '[]', '')",
            UUID(buyer.id),
            key,
        )
        first = asyncio.create_task(post(doomed, buyer, path, body, key))
        waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ 'idempotency_keys'"
        async with asyncio.timeout(30):
            while not await watcher.value(waits):
                await asyncio.sleep(0.02)
        meanwhile = await post(processes[1], buyer, path, body, key)
        assert (meanwhile.status_code, meanwhile.json()["code"]) == (409, "idempotency_in_progress")
        doomed.kill()
        with pytest.raises(httpx.TransportError):
            await first
        await other.execute("ROLLBACK")
    assert await sql.value(effects) == 0
    retried = await until_answered(processes[1], buyer, path, body, key)
    assert (retried.status_code, retried.headers.get("idempotent-replayed")) == (201, None), retried.text
    assert await sql.value(effects) == 1
    again = await post(processes[2], buyer, path, body, key)
    assert (again.headers["idempotent-replayed"], again.json()) == ("true", retried.json())
    mismatch = await post(processes[2], buyer, path, {"body": "else"}, key)
    assert (mismatch.status_code, mismatch.json()["code"]) == (422, "idempotency_mismatch")
    assert await sql.value(effects) == 1
