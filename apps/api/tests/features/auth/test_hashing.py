"""Hashing is bounded: in what it costs, in how much goes on at once, and in how many wait."""

import asyncio
import os
import sys
import threading
from collections.abc import Iterator

import argon2
import httpx
import pytest

from memi.auth.passwords import PasswordHasher
from memi.platform.errors import ServiceBusy
from memi.platform.runtime import Runtime
from support.hashes import hashes_made
from support.people import PASSWORD, People
from support.sql import Sql


@pytest.fixture
def small() -> Iterator[PasswordHasher]:
    """One thread, and room for two more."""
    hasher = PasswordHasher(1, 2)
    yield hasher
    hasher.close()


async def test_a_hash_has_the_cost_that_owasp_asks_for(small: PasswordHasher) -> None:
    parameters = argon2.extract_parameters(await small.hash(PASSWORD))
    assert parameters.type is argon2.Type.ID
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (19_456, 2, 1)
    assert (parameters.salt_len, parameters.hash_len) == (16, 32)


async def test_what_stands_in_for_an_unknown_account_costs_the_same_and_matches_nothing(small: PasswordHasher) -> None:
    before = hashes_made()
    assert await small.verify(PASSWORD, None) == (False, None)
    assert hashes_made() - before == 1
    decoy = small.decoy
    ours = argon2.extract_parameters(await small.hash(PASSWORD))
    assert argon2.extract_parameters(decoy) == ours
    with pytest.raises(argon2.exceptions.VerifyMismatchError):
        argon2.PasswordHasher().verify(decoy, PASSWORD)


async def test_a_hash_of_other_parameters_is_made_anew_at_login(
    client: httpx.AsyncClient, people: People, sql: Sql
) -> None:
    person = await people.new()
    older = argon2.PasswordHasher(time_cost=1, memory_cost=8192, parallelism=4).hash(PASSWORD)
    await sql.execute("UPDATE users SET password_hash = $1 WHERE email = $2", older, person.email)
    before = hashes_made()
    for _ in range(2):
        reply = await client.post("/api/v1/auth/login", json={"email": person.email, "password": PASSWORD})
        assert reply.status_code == 200
    assert hashes_made() - before == 3
    stored = await sql.value("SELECT password_hash FROM users WHERE email = $1", person.email)
    assert argon2.extract_parameters(stored).memory_cost == 19_456


async def test_more_than_may_wait_are_refused_at_once(small: PasswordHasher) -> None:
    hashing = [asyncio.create_task(small.hash(PASSWORD)) for _ in range(3)]
    await asyncio.sleep(0)
    before = hashes_made()
    with pytest.raises(ServiceBusy) as refused:
        await small.verify(PASSWORD, None)
    assert int(refused.value.headers["Retry-After"]) >= 1
    await asyncio.gather(*hashing)
    assert hashes_made() - before <= 3
    assert (await small.verify(PASSWORD, hashing[0].result()))[0]


async def test_those_who_gave_up_leave_the_queue(small: PasswordHasher) -> None:
    gone = [asyncio.create_task(small.hash(PASSWORD)) for _ in range(3)]
    await asyncio.sleep(0)
    for task in gone[1:]:
        task.cancel()
    await asyncio.gather(*gone, return_exceptions=True)
    before = hashes_made()
    await asyncio.gather(*[small.hash(PASSWORD) for _ in range(3)])
    assert hashes_made() - before == 3


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a priority for each thread")
async def test_its_threads_give_way_to_those_that_answer_requests(small: PasswordHasher) -> None:
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    pool = small._pool  # pyright: ignore[reportPrivateUsage]
    assert await asyncio.get_running_loop().run_in_executor(pool, niceness) > niceness() == os.getpriority(0, 0)


async def test_the_loop_stays_free_and_no_more_hash_at_once_than_there_are_threads(
    small: PasswordHasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once: list[int] = []
    running = 0
    make = small.make

    def counted(password: str) -> str:
        nonlocal running
        running += 1
        at_once.append(running)
        try:
            return make(password)
        finally:
            running -= 1

    monkeypatch.setattr(small, "make", counted)
    hashing = [asyncio.create_task(small.hash(PASSWORD)) for _ in range(3)]
    turns = 0
    while not all(task.done() for task in hashing):
        await asyncio.sleep(0.001)
        turns += 1
    assert at_once == [1, 1, 1]
    assert turns > 10


async def test_a_full_queue_is_503_with_retry_after(
    client: httpx.AsyncClient, runtime: Runtime, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = await people.new()
    hasher = runtime.adapters.get(PasswordHasher)
    monkeypatch.setattr(hasher, "_most", 0)
    for path, body in (
        ("login", {"email": person.email, "password": PASSWORD}),
        ("login", {"email": "nobody@example.com", "password": PASSWORD}),
        ("register", {"email": "somebody@example.com", "password": PASSWORD, "name": "Somebody"}),
    ):
        reply = await client.post(f"/api/v1/auth/{path}", json=body)
        assert (reply.status_code, reply.json()["code"]) == (503, "service_busy")
        assert int(reply.headers["retry-after"]) >= 1
    monkeypatch.undo()
    reply = await client.post("/api/v1/auth/login", json={"email": person.email, "password": PASSWORD})
    assert reply.status_code == 200
