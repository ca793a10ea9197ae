"""Moving an account to another address."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx

from memi.platform.settings import Settings
from support.mail import Mailbox
from support.people import PASSWORD, People, Person
from support.sql import Sql

RunJobs = Callable[[], Awaitable[None]]
CHANGE = "/auth/email/change"
VERIFY = "/api/v1/auth/email/verify"


def to(email: str, password: str | None = PASSWORD) -> dict[str, str]:
    return {"email": email} | ({"password": password} if password is not None else {})


async def address(sql: Sql, person: Person) -> str:
    return await sql.value("SELECT email FROM users WHERE id = $1", person.id)


async def test_anonymous(client: httpx.AsyncClient) -> None:
    assert (await client.post(f"/api/v1{CHANGE}", json=to("new@example.com"))).status_code == 401


async def test_takes_effect_when_the_new_address_is_proved_and_the_old_one_hears_of_it(
    people: People, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings, sql: Sql
) -> None:
    person = await people.new()
    target = f"new.{person.email}"
    old, new = Mailbox(settings, person.email), Mailbox(settings, target)
    reply = await person.post(CHANGE, to(target.upper()))
    assert (reply.status_code, reply.json()) == (202, {"accepted": True})
    await run_jobs()
    assert await address(sql, person) == person.email
    assert target.encode() in old.mails("dəyişdirilmək üzrədir")[0].path.read_bytes()
    assert "#token=" not in (old.mails("dəyişdirilmək üzrədir")[0].link or "")
    proved = await client.post(VERIFY, json={"token": new.token()})
    assert (proved.status_code, proved.json()["email"]) == (200, target)
    again = await client.post(VERIFY, json={"token": new.token()})
    assert (again.status_code, again.json()) == (200, proved.json())
    assert await address(sql, person) == target
    me = (await person.get("/users/me")).json()
    assert (me["email"], me["email_verified"]) == (target, True)
    await run_jobs()
    assert len(old.mails("E-poçt ünvanınız dəyişdirildi")) == 1
    for email, status in ((target, 200), (person.email, 401)):
        login = await client.post("/api/v1/auth/login", json={"email": email, "password": PASSWORD})
        assert login.status_code == status


async def test_a_taken_address_is_answered_the_same_and_only_its_owner_hears_of_it(
    people: People, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings, sql: Sql
) -> None:
    person, owner = await people.new(), await people.new()
    await run_jobs()
    replies = [await person.post(CHANGE, to(email)) for email in (owner.email, f"free.{person.email}")]
    assert {(reply.status_code, reply.content) for reply in replies} == {(202, b'{"accepted":true}')}
    tokens = await sql.value("SELECT count(*) FROM mail_tokens")
    await run_jobs()
    (told,) = Mailbox(settings, owner.email).mails("artıq memi hesabınız var")
    assert "#token=" not in (told.link or "")
    assert len(Mailbox(settings, person.email).mails("dəyişdirilmək üzrədir")) == 2
    assert await sql.value("SELECT count(*) FROM mail_tokens") == tokens + 1
    assert await address(sql, person) == person.email


async def test_an_address_taken_meanwhile_is_refused_and_nothing_changes(
    people: People, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings, sql: Sql
) -> None:
    person = await people.new()
    target = f"new.{person.email}"
    await person.post(CHANGE, to(target))
    await run_jobs()
    other = {"email": target, "password": PASSWORD, "name": "Quick"}
    assert (await client.post("/api/v1/auth/register", json=other)).status_code == 201
    token = Mailbox(settings, target).mails("Yeni e-poçt")[0].link
    assert token is not None
    refused = await client.post(VERIFY, json={"token": token.partition("#token=")[2]})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_mail_token")
    assert await address(sql, person) == person.email


async def test_of_two_who_want_one_address_one_gets_it(
    people: People, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings, sql: Sql
) -> None:
    wanting = [await people.new() for _ in range(2)]
    target = f"wanted.{wanting[0].email}"
    for person in wanting:
        assert (await person.post(CHANGE, to(target))).status_code == 202
    await run_jobs()
    links = [mail.link or "" for mail in Mailbox(settings, target).mails("Yeni e-poçt")]
    replies = await asyncio.gather(
        *(client.post(VERIFY, json={"token": link.partition("#token=")[2]}) for link in links)
    )
    assert sorted(reply.status_code for reply in replies) == [200, 400]
    assert sorted([await address(sql, person) == target for person in wanting]) == [False, True]


async def test_a_change_that_was_asked_for_but_not_mailed_yet_ends_with_a_new_password(
    people: People, run_jobs: RunJobs, settings: Settings, sql: Sql
) -> None:
    person = await people.new()
    target = f"new.{person.email}"
    assert (await person.post(CHANGE, to(target))).status_code == 202
    new = {"current_password": PASSWORD, "password": "an entirely new passphrase"}
    assert (await person.post("/auth/password/change", new)).status_code == 204
    await run_jobs()
    assert Mailbox(settings, target).mails() == []
    assert await sql.value("SELECT count(*) FROM mail_tokens WHERE email = $1", target) == 0
    assert len(Mailbox(settings, person.email).mails("dəyişdirilmək üzrədir")) == 1


async def test_needs_the_password(people: People, run_jobs: RunJobs, settings: Settings, sql: Sql) -> None:
    person = await people.new()
    target = f"new.{person.email}"
    wrong = await person.post(CHANGE, to(target, "not that one"))
    assert (wrong.status_code, wrong.json()["code"]) == (403, "wrong_password")
    missing = await person.post(CHANGE, to(target, None))
    assert (missing.status_code, missing.json()["errors"][0]["pointer"]) == (422, "/password")
    await run_jobs()
    assert Mailbox(settings, target).mails() == []
    assert await sql.value("SELECT count(*) FROM mail_tokens WHERE email = $1", target) == 0


async def test_needs_a_fresh_proof(people: People, run_jobs: RunJobs, settings: Settings, sql: Sql) -> None:
    person = await people.new()
    target = f"new.{person.email}"
    await sql.execute(
        "UPDATE auth_sessions SET authenticated_at = now() - interval '1 day' WHERE user_id = $1", person.id
    )
    stale = await person.post(CHANGE, to(target))
    assert (stale.status_code, stale.json()["code"]) == (403, "step_up_required")
    await run_jobs()
    assert Mailbox(settings, target).mails() == []


async def test_an_account_without_a_password_needs_the_fresh_proof_alone(people: People, sql: Sql) -> None:
    person = await people.new()
    await sql.execute("UPDATE users SET password_hash = NULL WHERE id = $1", person.id)
    assert (await person.post(CHANGE, to(f"new.{person.email}", None))).status_code == 202


async def test_ones_own_address_and_what_is_none_are_refused(people: People) -> None:
    person = await people.new()
    same = await person.post(CHANGE, to(person.email.upper()))
    assert (same.status_code, same.json()["errors"][0]["code"]) == (422, "unchanged")
    assert (await person.post(CHANGE, to("nobody"))).status_code == 422


async def test_links_to_the_old_address_work_no_more(
    people: People, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings
) -> None:
    person = await people.new()
    target = f"new.{person.email}"
    await client.post("/api/v1/auth/password/forgot", json={"email": person.email})
    await person.post(CHANGE, to(target))
    await run_jobs()
    reset = Mailbox(settings, person.email).token("Yeni parol təyin edin")
    assert (await client.post(VERIFY, json={"token": Mailbox(settings, target).token()})).status_code == 200
    body = {"token": reset, "password": "an entirely new passphrase"}
    assert (await client.post("/api/v1/auth/password/reset", json=body)).status_code == 400
    login = await client.post("/api/v1/auth/login", json={"email": target, "password": PASSWORD})
    assert login.status_code == 200
