"""Guessing gets slower and slower, for accounts that exist and for those that do not."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import event

from memi.auth import lockout
from memi.auth.errors import TooManyAttempts
from memi.platform.keyring import KeyRing
from memi.platform.runtime import Runtime
from support.hashes import hashes_made
from support.people import PASSWORD, People
from support.sql import Sql


async def log_in(client: httpx.AsyncClient, email: str, password: str = "a wrong password") -> httpx.Response:
    return await client.post("/api/v1/auth/login", json={"email": email, "password": password})


async def row_of(runtime: Runtime, sql: Sql, email: str) -> dict[str, Any] | None:
    subject = lockout.subject_of_address(runtime.key_ring, email)
    rows = await sql.rows(
        "SELECT failures, round(extract(epoch FROM locked_until - last_at))::int AS wait"
        " FROM auth_failures WHERE subject = $1",
        subject,
    )
    return dict(rows[0]) if rows else None


async def wait_is_over(sql: Sql) -> None:
    await sql.execute("UPDATE auth_failures SET locked_until = clock_timestamp()")


@pytest.fixture(params=["known", "unknown"])
async def email(request: pytest.FixtureRequest, people: People) -> str:
    return (await people.new()).email if request.param == "known" else f"{uuid4().hex}@example.com"


async def test_the_fifth_wrong_password_in_a_row_makes_the_next_wait(
    client: httpx.AsyncClient, runtime: Runtime, sql: Sql, email: str
) -> None:
    for number in range(1, 6):
        assert (await log_in(client, email)).status_code == 401
        wait = 1 if number == 5 else None
        assert await row_of(runtime, sql, email) == {"failures": number, "wait": wait}
    before = hashes_made()
    reply = await log_in(client, email.upper(), PASSWORD)
    assert (reply.status_code, reply.json()["code"]) == (429, "too_many_attempts")
    assert reply.headers["retry-after"] == "1"
    assert reply.json()["retry_after"] == 1
    assert hashes_made() == before
    assert await row_of(runtime, sql, email) == {"failures": 5, "wait": 1}


async def test_the_wait_doubles_up_to_a_quarter_of_an_hour_and_ends_by_itself(
    client: httpx.AsyncClient, runtime: Runtime, sql: Sql, email: str
) -> None:
    waits: list[int | None] = []
    for _ in range(17):
        assert (await log_in(client, email)).status_code == 401
        row = await row_of(runtime, sql, email)
        assert row is not None
        waits.append(row["wait"])
        await wait_is_over(sql)
    assert waits == [None] * 4 + [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]


async def test_after_the_wait_the_right_password_signs_in_and_forgets(
    client: httpx.AsyncClient, people: People, runtime: Runtime, sql: Sql
) -> None:
    person = await people.new()
    for _ in range(5):
        await log_in(client, person.email)
    refused = await log_in(client, person.email, PASSWORD)
    await asyncio.sleep(float(refused.headers["retry-after"]))
    assert (await log_in(client, person.email, PASSWORD)).status_code == 200
    assert await row_of(runtime, sql, person.email) is None


async def test_signing_in_in_between_forgets(
    client: httpx.AsyncClient, people: People, runtime: Runtime, sql: Sql
) -> None:
    person = await people.new()
    for _ in range(3):
        for _ in range(4):
            assert (await log_in(client, person.email)).status_code == 401
        assert (await log_in(client, person.email, PASSWORD)).status_code == 200
    assert await row_of(runtime, sql, person.email) is None


async def test_a_day_without_a_failure_forgets(
    client: httpx.AsyncClient, runtime: Runtime, sql: Sql, email: str
) -> None:
    for _ in range(6):
        await log_in(client, email)
        await wait_is_over(sql)
    await sql.execute("UPDATE auth_failures SET last_at = last_at - interval '25 hours'")
    await log_in(client, email)
    assert await row_of(runtime, sql, email) == {"failures": 1, "wait": None}


async def test_others_do_not_wait(client: httpx.AsyncClient, people: People) -> None:
    one, other = await people.new(), await people.new()
    for _ in range(6):
        await log_in(client, one.email)
    assert (await log_in(client, other.email, PASSWORD)).status_code == 200


async def test_who_is_signed_in_already_stays_so(client: httpx.AsyncClient, people: People) -> None:
    person = await people.new()
    for _ in range(6):
        await log_in(client, person.email)
    assert (await log_in(client, person.email, PASSWORD)).status_code == 429
    assert (await person.get("/users/me")).status_code == 200
    refreshed = await client.post("/api/v1/auth/refresh", json={"refresh_token": person.refresh_token})
    assert refreshed.status_code == 200


async def test_a_hundred_guesses_at_once_are_not_all_looked_at(
    client: httpx.AsyncClient, runtime: Runtime, sql: Sql, email: str
) -> None:
    before = hashes_made()
    replies = await asyncio.gather(*[log_in(client, email, f"guess number {number}") for number in range(100)])
    codes = Counter(reply.json()["code"] for reply in replies)
    looked_at = hashes_made() - before
    assert codes["invalid_credentials"] == looked_at
    assert 5 <= looked_at <= 7, codes  # those of one account go two at a time, and a wait may end meanwhile
    assert codes["too_many_attempts"] == 100 - looked_at
    row = await row_of(runtime, sql, email)
    assert row is not None
    assert row["failures"] == looked_at


async def test_a_hundred_right_passwords_at_once_all_sign_in(client: httpx.AsyncClient, people: People) -> None:
    person = await people.new()
    replies = await asyncio.gather(*[log_in(client, person.email, PASSWORD) for _ in range(100)])
    assert {reply.status_code for reply in replies} == {200}


async def test_failures_at_once_are_each_counted(runtime: Runtime, sql: Sql) -> None:
    subject = lockout.subject_of_codes(runtime.key_ring, uuid4())
    counted = await asyncio.gather(*[lockout.failed(runtime, subject) for _ in range(100)])
    assert sorted(counted) == list(range(1, 101))
    with pytest.raises(TooManyAttempts) as refused:
        await lockout.check(runtime, subject)
    assert 890 < int(refused.value.headers["Retry-After"]) <= 900


async def test_known_and_unknown_addresses_cost_the_same_hashes(client: httpx.AsyncClient, people: People) -> None:
    known = [(await people.new()).email for _ in range(20)]
    unknown = [f"{uuid4().hex}@example.com" for _ in range(20)]
    costs: dict[str, list[float]] = {}
    for email in (address for pair in zip(known, unknown, strict=True) for address in pair):
        before = hashes_made()
        assert (await log_in(client, email)).status_code == 401
        costs.setdefault("known" if email in known else "unknown", []).append(hashes_made() - before)
    assert costs == {"known": [1.0] * 20, "unknown": [1.0] * 20}


async def test_known_and_unknown_addresses_run_the_same_statements(
    client: httpx.AsyncClient, people: People, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, unknown = (await people.new()).email, f"{uuid4().hex}@example.com"
    ran: list[str] = []
    fetch = runtime.database.hot.fetch

    async def recorded(statement: str, *arguments: object) -> list[Any]:
        ran.append(statement)
        return await fetch(statement, *arguments)

    def record(*arguments: Any) -> None:
        ran.append(arguments[2])

    monkeypatch.setattr(runtime.database.hot, "fetch", recorded)
    engine = runtime.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", record)
    try:
        for _ in range(7):  # the last one is told to wait
            by_address: list[list[str]] = []
            for email in (known, unknown):
                ran.clear()
                await log_in(client, email)
                by_address.append(list(ran))
            assert by_address[0] == by_address[1]
            assert by_address[0]
    finally:
        event.remove(engine, "before_cursor_execute", record)


async def test_neither_addresses_nor_plain_hashes_of_them_are_stored(
    client: httpx.AsyncClient, runtime: Runtime, sql: Sql
) -> None:
    email = f"{uuid4().hex}@example.com"
    await log_in(client, email)
    subject = lockout.subject_of_address(runtime.key_ring, email)
    assert await sql.value("SELECT count(*) FROM auth_failures WHERE subject = $1", subject) == 1
    assert await sql.value("SELECT count(*) FROM auth_failures WHERE subject = sha256($1::bytea)", email.encode()) == 0
    assert lockout.subject_of_address(KeyRing({"other": b"x" * 32}), email) != subject
    assert lockout.subject_of_address(runtime.key_ring, f" {email.upper()} ") == subject
    assert lockout.subject_of_codes(runtime.key_ring, UUID(int=0)) != subject


async def test_only_so_many_wait_for_their_turn(runtime: Runtime) -> None:
    subject, release = b"crowd", asyncio.Event()
    adapters = type(runtime.adapters)()
    adapters.set(lockout.Turns, lockout.Turns(3))
    crowded = replace(runtime, adapters=adapters)

    async def hold() -> None:
        async with lockout.attempt(crowded, subject):
            await release.wait()

    holding = [asyncio.create_task(hold()) for _ in range(3)]
    await asyncio.sleep(0.1)
    with pytest.raises(Exception, match="Too many are signing in") as refused:
        await hold()
    assert getattr(refused.value, "code", None) == "service_busy"
    release.set()
    await asyncio.gather(*holding)
    async with lockout.attempt(crowded, subject):
        pass


async def test_old_failures_are_pruned(runtime: Runtime, sql: Sql) -> None:
    old, young = (lockout.subject_of_codes(runtime.key_ring, uuid4()) for _ in range(2))
    for subject in (old, young):
        await lockout.failed(runtime, subject)
    past = lockout.FORGOTTEN_AFTER + timedelta(minutes=1)
    await sql.execute("UPDATE auth_failures SET last_at = now() - $2::interval WHERE subject = $1", old, past)
    await lockout.prune_failures.run(runtime)
    left = await sql.rows("SELECT subject FROM auth_failures WHERE subject = ANY ($1::bytea[])", [old, young])
    assert [row["subject"] for row in left] == [young]
