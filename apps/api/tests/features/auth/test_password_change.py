"""Changing the password one knows."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx

from memi.platform.settings import Settings
from support.mail import Mailbox
from support.people import PASSWORD, People, Person
from support.sql import Sql

RunJobs = Callable[[], Awaitable[None]]
NEW = "an entirely new passphrase"


def change(current: str, new: str) -> dict[str, str]:
    return {"current_password": current, "password": new}


async def login(client: httpx.AsyncClient, person: Person, password: str) -> httpx.Response:
    return await client.post("/api/v1/auth/login", json={"email": person.email, "password": password})


async def stored(sql: Sql, person: Person) -> object:
    return await sql.rows("SELECT password_hash, epoch FROM users WHERE id = $1", person.id)


async def test_anonymous(client: httpx.AsyncClient) -> None:
    reply = await client.post("/api/v1/auth/password/change", json=change(PASSWORD, NEW))
    assert reply.status_code == 401


async def test_this_session_goes_on_and_all_others_end(
    people: People, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings, sql: Sql
) -> None:
    person = await people.new()
    other = (await login(client, person, PASSWORD)).json()
    reply = await person.post("/auth/password/change", change(PASSWORD, NEW))
    assert (reply.status_code, reply.content) == (204, b"")
    assert (await person.get("/users/me")).status_code == 200
    refreshed = await client.post("/api/v1/auth/refresh", json={"refresh_token": person.refresh_token})
    assert refreshed.status_code == 200
    elsewhere = {"Authorization": f"Bearer {other['access_token']}"}
    assert (await client.get("/api/v1/users/me", headers=elsewhere)).json()["code"] == "invalid_token"
    body = {"refresh_token": other["refresh_token"]}
    assert (await client.post("/api/v1/auth/refresh", json=body)).status_code == 401
    assert (await login(client, person, PASSWORD)).status_code == 401
    assert (await login(client, person, NEW)).status_code == 200
    await run_jobs()
    assert len(Mailbox(settings, person.email).mails("Parolunuz dəyişdirildi")) == 1


async def test_a_wrong_password_changes_nothing(people: People, client: httpx.AsyncClient, sql: Sql) -> None:
    person = await people.new()
    before = await stored(sql, person)
    reply = await person.post("/auth/password/change", change("not that one", NEW))
    assert (reply.status_code, reply.json()["code"]) == (403, "wrong_password")
    assert await stored(sql, person) == before
    assert (await login(client, person, PASSWORD)).status_code == 200


async def test_guessing_it_makes_one_wait_as_at_sign_in(people: People, client: httpx.AsyncClient, sql: Sql) -> None:
    person = await people.new()
    before = await stored(sql, person)
    replies = [await person.post("/auth/password/change", change(f"guess {number}", NEW)) for number in range(5)]
    assert [reply.status_code for reply in replies] == [403] * 5
    await sql.execute("UPDATE auth_failures SET locked_until = now() + interval '5 min' WHERE locked_until IS NOT NULL")
    waiting = await person.post("/auth/password/change", change(PASSWORD, NEW))
    assert (waiting.status_code, waiting.json()["code"]) == (429, "too_many_attempts")
    assert (await login(client, person, PASSWORD)).status_code == 429
    assert await stored(sql, person) == before


async def test_the_rules_hold_here_too(people: People, sql: Sql) -> None:
    person = await people.new(name="Gülnarə")
    before = await stored(sql, person)
    for password, why in (
        ("short", "too_short"),
        ("1q2w3e4r5t", "too_common"),
        ("gulnare1990", "contains_personal_data"),
        ("z" * 27, "too_guessable"),
    ):
        reply = await person.post("/auth/password/change", change(PASSWORD, password))
        assert reply.status_code == 422
        assert [(item["pointer"], item["code"]) for item in reply.json()["errors"]] == [("/password", why)]
    assert await stored(sql, person) == before


async def test_an_account_without_a_password_is_told_how_to_get_one(people: People, sql: Sql) -> None:
    person = await people.new()
    await sql.execute("UPDATE users SET password_hash = NULL WHERE id = $1", person.id)
    reply = await person.post("/auth/password/change", change("any password", NEW))
    assert (reply.status_code, reply.json()["code"]) == (409, "password_not_set")
    assert await sql.value("SELECT password_hash FROM users WHERE id = $1", person.id) is None


async def test_of_two_at_once_one_wins(people: People, client: httpx.AsyncClient) -> None:
    person = await people.new()
    passwords = [f"{word} tranquil harbour" for word in ("first", "second", "third")]
    replies = await asyncio.gather(
        *(person.post("/auth/password/change", change(PASSWORD, password)) for password in passwords)
    )
    statuses = [reply.status_code for reply in replies]
    assert sorted(statuses) == [204, 403, 403]
    opens = [(await login(client, person, password)).status_code for password in passwords]
    assert [code == 200 for code in opens] == [code == 204 for code in statuses]


async def test_links_mailed_before_work_no_more(
    people: People, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings, sql: Sql
) -> None:
    person = await people.new()
    target = f"new.{person.email}"
    await client.post("/api/v1/auth/password/forgot", json={"email": person.email})
    await person.post("/auth/email/change", {"email": target, "password": PASSWORD})
    await run_jobs()
    reset = Mailbox(settings, person.email).token("Yeni parol təyin edin")
    moving = Mailbox(settings, target).token()
    assert (await person.post("/auth/password/change", change(PASSWORD, NEW))).status_code == 204
    body = {"token": reset, "password": "yet another passphrase"}
    assert (await client.post("/api/v1/auth/password/reset", json=body)).status_code == 400
    assert (await client.post("/api/v1/auth/email/verify", json={"token": moving})).status_code == 400
    assert await sql.value("SELECT email FROM users WHERE id = $1", person.id) == person.email
    assert (await login(client, person, NEW)).status_code == 200
