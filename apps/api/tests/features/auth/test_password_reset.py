"""Setting a new password by a link, for who forgot the old one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID

import httpx
import pytest

from memi import parts
from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.job_runner import JobRunner
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from support.limits import limited_api
from support.mail import Mailbox
from support.people import PASSWORD, People, Person
from support.server import ApiProcess, api_processes
from support.sockets import open_socket
from support.sql import Sql

RunJobs = Callable[[], Awaitable[None]]
FORGOT = "/api/v1/auth/password/forgot"
RESET = "/api/v1/auth/password/reset"
SUBJECT = "Yeni parol təyin edin"
NEW = "an entirely new passphrase"


async def login(client: httpx.AsyncClient, person: Person, password: str) -> int:
    reply = await client.post("/api/v1/auth/login", json={"email": person.email, "password": password})
    return reply.status_code


async def forgotten(
    people: People, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings
) -> tuple[Person, str]:
    """Somebody with a link to reset their password."""
    person = await people.new()
    assert (await client.post(FORGOT, json={"email": person.email})).status_code == 202
    await run_jobs()
    return person, Mailbox(settings, person.email).token(SUBJECT)


@pytest.fixture(scope="module")
async def api(database_urls: EmbeddedUrls, settings: Settings, runtime: Runtime) -> AsyncIterator[ApiProcess]:
    """After `runtime`, which makes the key ring that both share."""
    async with api_processes(database_urls, settings, 1) as (started,):
        yield started


class TestForgot:
    async def test_mails_a_link_that_sets_a_password_once(
        self, people: People, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings, sql: Sql
    ) -> None:
        person, token = await forgotten(people, client, run_jobs, settings)
        reply = await client.post(RESET, json={"token": token, "password": NEW})
        assert (reply.status_code, reply.content) == (204, b"")
        assert await login(client, person, PASSWORD) == 401
        assert await login(client, person, NEW) == 200
        again = await client.post(RESET, json={"token": token, "password": PASSWORD})
        assert (again.status_code, again.json()["code"]) == (400, "invalid_mail_token")
        assert await login(client, person, NEW) == 200
        await run_jobs()
        assert len(Mailbox(settings, person.email).mails("Parolunuz dəyişdirildi")) == 1

    async def test_an_address_that_nobody_has_is_answered_the_same_and_mailed_nothing(
        self, people: People, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings, sql: Sql
    ) -> None:
        person = await people.new()
        await run_jobs()
        replies = [await client.post(FORGOT, json={"email": email}) for email in (person.email, "nobody@example.com")]
        known, unknown = ((reply.status_code, reply.content, dict(reply.headers)) for reply in replies)
        for _, _, headers in (known, unknown):
            headers.pop("x-request-id")
        assert known == unknown
        assert known[0] == 202
        # Nothing was looked up either: the two left the same behind.
        waiting = await sql.rows("SELECT entrypoint, length(dedupe_key) AS size FROM pgqueuer")
        assert len(waiting) == 2
        assert waiting[0] == waiting[1]
        before = await sql.value("SELECT count(*) FROM mail_tokens")
        await run_jobs()
        assert Mailbox(settings, "nobody@example.com").mails() == []
        assert await sql.value("SELECT count(*) FROM mail_tokens") == before + 1

    async def test_an_address_is_found_in_any_case(
        self, people: People, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings
    ) -> None:
        person = await people.new()
        await client.post(FORGOT, json={"email": f"  {person.email.upper()} "})
        await run_jobs()
        assert len(Mailbox(settings, person.email).mails(SUBJECT)) == 1

    async def test_a_deleted_account_is_mailed_nothing(
        self, people: People, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings, sql: Sql
    ) -> None:
        person = await people.new()
        await run_jobs()
        await sql.execute("UPDATE users SET deleted_at = now() WHERE id = $1", person.id)
        assert (await client.post(FORGOT, json={"email": person.email})).status_code == 202
        await run_jobs()
        assert Mailbox(settings, person.email).mails(SUBJECT) == []

    async def test_an_account_without_a_password_gets_one(
        self, people: People, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings, sql: Sql
    ) -> None:
        person = await people.new()
        await sql.execute("UPDATE users SET password_hash = NULL WHERE id = $1", person.id)
        await client.post(FORGOT, json={"email": person.email})
        await run_jobs()
        token = Mailbox(settings, person.email).token(SUBJECT)
        assert (await client.post(RESET, json={"token": token, "password": NEW})).status_code == 204
        assert await login(client, person, NEW) == 200

    async def test_the_link_is_good_for_an_hour(
        self, people: People, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings, sql: Sql
    ) -> None:
        person, token = await forgotten(people, client, run_jobs, settings)
        life = await sql.value(
            "SELECT expires_at - created_at FROM mail_tokens WHERE user_id = $1 AND purpose = 'RESET_PASSWORD'",
            person.id,
        )
        assert life.total_seconds() == 3600
        await sql.execute("UPDATE mail_tokens SET expires_at = now() WHERE user_id = $1", person.id)
        refused = await client.post(RESET, json={"token": token, "password": NEW})
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_mail_token")
        assert await login(client, person, PASSWORD) == 200

    async def test_a_mailbox_is_not_flooded_from_many_addresses_and_nobody_is_told(
        self, people: People, runtime: Runtime, settings: Settings, database_urls: EmbeddedUrls
    ) -> None:
        person = await people.new()
        async with limited_api(settings, database_urls.app) as api:
            for number in range(8):
                async with api.client(f"203.0.113.{number + 1}") as client:
                    reply = await client.post("/auth/password/forgot", json={"email": person.email})
                assert (reply.status_code, reply.json()) == (202, {"accepted": True})
                await JobRunner(api.runtime, parts.JOBS).drain()
        assert len(Mailbox(settings, person.email).mails(SUBJECT)) == 5


class TestReset:
    async def test_ends_every_session_and_proves_the_address(
        self, people: People, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings, sql: Sql
    ) -> None:
        person, token = await forgotten(people, client, run_jobs, settings)
        assert await login(client, person, PASSWORD) == 200
        epoch = await sql.value("SELECT epoch FROM users WHERE id = $1", person.id)
        assert (await client.post(RESET, json={"token": token, "password": NEW})).status_code == 204
        assert (await person.get("/users/me")).json()["code"] == "invalid_token"
        refreshed = await client.post("/api/v1/auth/refresh", json={"refresh_token": person.refresh_token})
        assert refreshed.status_code == 401
        standing = "SELECT count(*) FROM auth_sessions WHERE user_id = $1 AND revoked_at IS NULL"
        assert await sql.value(standing, person.id) == 0
        assert await sql.value("SELECT epoch FROM users WHERE id = $1", person.id) == epoch + 1
        assert await sql.value("SELECT email_verified_at IS NOT NULL FROM users WHERE id = $1", person.id)

    async def test_closes_the_sockets_of_other_processes(
        self, people: People, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings, api: ApiProcess
    ) -> None:
        person, token = await forgotten(people, client, run_jobs, settings)
        async with open_socket(api.socket_url, person) as socket:
            assert (await client.post(RESET, json={"token": token, "password": NEW})).status_code == 204
            assert await socket.close_code(2) == 4401

    async def test_of_two_at_once_one_wins(
        self, people: People, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings
    ) -> None:
        person, token = await forgotten(people, client, run_jobs, settings)
        passwords = [f"{word} tranquil harbour" for word in ("first", "second", "third", "fourth")]
        replies = await asyncio.gather(
            *(client.post(RESET, json={"token": token, "password": password}) for password in passwords)
        )
        statuses = [reply.status_code for reply in replies]
        assert sorted(statuses) == [204, 400, 400, 400]
        opens = [await login(client, person, password) for password in passwords]
        assert [code == 200 for code in opens] == [code == 204 for code in statuses]

    async def test_voids_every_other_link(
        self, people: People, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings, sql: Sql
    ) -> None:
        person, first = await forgotten(people, client, run_jobs, settings)
        change = {"email": "elsewhere@example.com", "password": PASSWORD}
        assert (await person.post("/auth/email/change", change)).status_code == 202
        await client.post(FORGOT, json={"email": person.email})
        await run_jobs()
        second = Mailbox(settings, person.email).token(SUBJECT)
        moving = Mailbox(settings, "elsewhere@example.com").token()
        assert second != first
        assert (await client.post(RESET, json={"token": first, "password": NEW})).status_code == 204
        assert (await client.post(RESET, json={"token": second, "password": PASSWORD})).status_code == 400
        assert (await client.post("/api/v1/auth/email/verify", json={"token": moving})).status_code == 400
        assert await sql.value("SELECT email FROM users WHERE id = $1", person.id) == person.email

    @pytest.mark.parametrize(
        "refusal",
        [("short", "too_short"), ("1q2w3e4r5t", "too_common"), ("aysel12345", "contains_personal_data")],
    )
    async def test_a_refused_password_leaves_the_link_good(
        self, people: People, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings, refusal: tuple[str, str]
    ) -> None:
        password, why = refusal
        person, token = await forgotten(people, client, run_jobs, settings)
        refused = await client.post(RESET, json={"token": token, "password": password})
        assert refused.status_code == 422
        assert [(item["pointer"], item["code"]) for item in refused.json()["errors"]] == [("/password", why)]
        assert await login(client, person, PASSWORD) == 200
        assert (await client.post(RESET, json={"token": token, "password": NEW})).status_code == 204

    async def test_ends_the_wait_after_wrong_passwords(
        self, people: People, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings, sql: Sql
    ) -> None:
        person, token = await forgotten(people, client, run_jobs, settings)
        for _ in range(6):
            await login(client, person, "not that one")
        await sql.execute("UPDATE auth_failures SET locked_until = now() + interval '5 min'")
        assert await login(client, person, PASSWORD) == 429
        assert (await client.post(RESET, json={"token": token, "password": NEW})).status_code == 204
        assert await login(client, person, NEW) == 200

    async def test_a_provider_linked_before_anybody_proved_the_address_is_no_way_in(
        self, people: People, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings, sql: Sql
    ) -> None:
        link = (
            "INSERT INTO external_identities (id, user_id, provider, subject) "
            "VALUES (gen_random_uuid(), $1, 'google', $2)"
        )
        count = "SELECT count(*) FROM external_identities WHERE user_id = $1"
        person, token = await forgotten(people, client, run_jobs, settings)
        await sql.execute(link, person.id, "squatter")
        await client.post(RESET, json={"token": token, "password": NEW})
        assert await sql.value(count, person.id) == 0
        await sql.execute(link, person.id, "owner")
        await client.post(FORGOT, json={"email": person.email})
        await run_jobs()
        token = Mailbox(settings, person.email).token(SUBJECT)
        assert (await client.post(RESET, json={"token": token, "password": PASSWORD})).status_code == 204
        assert await sql.value(count, person.id) == 1

    async def test_a_second_factor_is_still_asked_for(
        self, people: People, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings, sql: Sql
    ) -> None:
        person, token = await forgotten(people, client, run_jobs, settings)
        await sql.execute(
            "INSERT INTO totp_factors (user_id, secret, confirmed_at) VALUES ($1, 'sealed', now())", UUID(person.id)
        )
        await client.post(RESET, json={"token": token, "password": NEW})
        reply = await client.post("/api/v1/auth/login", json={"email": person.email, "password": NEW})
        assert reply.json()["mfa_required"] is True
        assert "access_token" not in reply.json()
