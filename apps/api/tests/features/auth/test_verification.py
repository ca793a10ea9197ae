"""Proving an address by a link that was mailed to it, and the mails themselves as jobs."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import httpx
import msgspec
import pytest

from memi.auth.jobs import AccountMail, forget_what_is_over, send_account_mail
from memi.auth.mails import MailKind, request_mail
from memi.platform import clock
from memi.platform.mail import Mailer, MailNotSent, mailer_of
from memi.platform.mail_smtp import SmtpMailer
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from support.mail import Mailbox, bodies, mail_server
from support.people import PASSWORD, People, Person
from support.service import free_port
from support.sql import Sql

RunJobs = Callable[[], Awaitable[None]]
VERIFY = "/api/v1/auth/email/verify"
MAIL_JOB = "entrypoint = 'auth.jobs.send_account_mail'"


@asynccontextmanager
async def sending_through(runtime: Runtime, mailer: Mailer) -> AsyncIterator[None]:
    before = mailer_of(runtime.adapters)
    runtime.adapters.set(Mailer, mailer)
    try:
        yield
    finally:
        runtime.adapters.set(Mailer, before)


async def run_mail_job(runtime: Runtime, sql: Sql) -> None:
    """Take the one mail that waits, due or not, and run it."""
    (row,) = await sql.rows(f"DELETE FROM pgqueuer WHERE {MAIL_JOB} RETURNING payload")
    await send_account_mail.run(msgspec.json.decode(row["payload"], type=AccountMail), runtime)


async def verified(sql: Sql, person: Person) -> bool:
    return await sql.value("SELECT email_verified_at IS NOT NULL FROM users WHERE id = $1", person.id)


async def mailed(people: People, run_jobs: RunJobs, settings: Settings) -> tuple[Person, Mailbox]:
    """Somebody new whose first mail has come."""
    person = await people.new()
    await run_jobs()
    return person, Mailbox(settings, person.email)


class TestVerify:
    async def test_registering_mails_a_link_that_proves_the_address(
        self, people: People, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings, sql: Sql
    ) -> None:
        person, box = await mailed(people, run_jobs, settings)
        assert len(box.mails()) == 1
        assert not await verified(sql, person)
        reply = await client.post(VERIFY, json={"token": box.token()})
        assert reply.status_code == 200
        assert reply.json() == {"id": person.id, "email": person.email, "email_verified": True}
        assert (await person.get("/users/me")).json()["email_verified"] is True

    async def test_the_link_leads_to_the_site_whatever_host_was_asked(
        self, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings
    ) -> None:
        body = {"email": "host@example.com", "password": PASSWORD, "name": "Leyla"}
        headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
        assert (await client.post("/api/v1/auth/register", json=body, headers=headers)).status_code == 201
        await run_jobs()
        (mail,) = Mailbox(settings, "host@example.com").mails()
        assert mail.link is not None
        assert mail.link.startswith(f"{settings.site_url}/auth/verify-email#token=")
        assert b"evil" not in mail.path.read_bytes()

    @pytest.mark.parametrize(
        ("locale", "subject"),
        [
            ("az", "E-poçt ünvanınızı təsdiqləyin"),
            ("en", "Confirm your email address"),
            ("ru", "Подтвердите адрес электронной почты"),
        ],
    )
    async def test_the_mail_is_in_the_language_of_the_account(
        self, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings, locale: str, subject: str
    ) -> None:
        email = f"{locale}@example.com"
        body = {"email": email, "password": PASSWORD, "name": "Leyla", "locale": locale}
        assert (await client.post("/api/v1/auth/register", json=body)).status_code == 201
        await run_jobs()
        (mail,) = Mailbox(settings, email).mails()
        assert mail.subject == subject
        # Whoever registers a stranger's address does not get to write to them.
        assert b"Leyla" not in mail.path.read_bytes()

    async def test_only_a_hash_is_stored(self, people: People, run_jobs: RunJobs, settings: Settings, sql: Sql) -> None:
        person, box = await mailed(people, run_jobs, settings)
        (row,) = await sql.rows("SELECT * FROM mail_tokens WHERE user_id = $1", person.id)
        assert row["token_hash"] == hashlib.sha256(box.token().encode()).digest()
        assert (row["expires_at"] - row["created_at"]).total_seconds() == 24 * 3600
        for table in ("mail_tokens", "pgqueuer", "pgqueuer_log", "dead_jobs"):
            stored = await sql.rows(f"SELECT t::text AS row FROM {table} t")
            assert not [row for row in stored if box.token() in row["row"] or box.token().encode().hex() in row["row"]]

    async def test_opening_the_link_twice_answers_the_same_and_changes_nothing(
        self, people: People, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings, sql: Sql
    ) -> None:
        person, box = await mailed(people, run_jobs, settings)
        replies = await asyncio.gather(*(client.post(VERIFY, json={"token": box.token()}) for _ in range(4)))
        assert {reply.status_code for reply in replies} == {200}
        account = await sql.rows("SELECT * FROM users WHERE id = $1", person.id)
        again = await client.post(VERIFY, json={"token": box.token()})
        assert again.json() == replies[0].json()
        assert await sql.rows("SELECT * FROM users WHERE id = $1", person.id) == account
        assert account[0]["version"] == 2

    async def test_an_old_unknown_or_foreign_token_is_refused(
        self, people: People, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings, sql: Sql
    ) -> None:
        person, box = await mailed(people, run_jobs, settings)
        token = box.token()
        other = token[:-1] + ("A" if token[-1] != "A" else "B")
        refused = await client.post(VERIFY, json={"token": other})
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_mail_token")
        await sql.execute("UPDATE mail_tokens SET purpose = 'RESET_PASSWORD' WHERE user_id = $1", person.id)
        assert (await client.post(VERIFY, json={"token": token})).json()["code"] == "invalid_mail_token"
        await sql.execute(
            "UPDATE mail_tokens SET purpose = 'VERIFY_EMAIL', expires_at = now() WHERE user_id = $1", person.id
        )
        assert (await client.post(VERIFY, json={"token": token})).json()["code"] == "invalid_mail_token"
        assert not await verified(sql, person)

    async def test_a_token_of_an_address_that_is_no_longer_the_accounts_is_refused(
        self, people: People, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings, sql: Sql
    ) -> None:
        person, box = await mailed(people, run_jobs, settings)
        await sql.execute("UPDATE users SET email = 'moved@example.com' WHERE id = $1", person.id)
        assert (await client.post(VERIFY, json={"token": box.token()})).status_code == 400
        assert not await verified(sql, person)


class TestResend:
    async def test_anonymous(self, client: httpx.AsyncClient) -> None:
        assert (await client.post("/api/v1/auth/email/resend")).status_code == 401

    async def test_mails_another_link_and_the_first_still_works(
        self, people: People, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings
    ) -> None:
        person, box = await mailed(people, run_jobs, settings)
        first = box.token()
        assert (await person.post("/auth/email/resend", {})).status_code == 202
        await run_jobs()
        assert len(box.mails()) == 2
        assert box.token() != first
        assert (await client.post(VERIFY, json={"token": first})).status_code == 200

    async def test_the_newest_three_links_work(
        self, people: People, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings, sql: Sql
    ) -> None:
        person, box = await mailed(people, run_jobs, settings)
        tokens = [box.token()]
        for _ in range(3):
            await person.post("/auth/email/resend", {})
            await run_jobs()
            tokens.append(box.token())
        assert (await client.post(VERIFY, json={"token": tokens[0]})).status_code == 400
        assert not await verified(sql, person)
        assert (await client.post(VERIFY, json={"token": tokens[1]})).status_code == 200

    async def test_asking_many_times_before_it_goes_out_mails_once(
        self, people: People, run_jobs: RunJobs, settings: Settings
    ) -> None:
        person = await people.new()
        for _ in range(3):
            assert (await person.post("/auth/email/resend", {})).status_code == 202
        await run_jobs()
        assert len(Mailbox(settings, person.email).mails()) == 1

    async def test_nothing_is_mailed_once_verified(
        self, people: People, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings
    ) -> None:
        person, box = await mailed(people, run_jobs, settings)
        await client.post(VERIFY, json={"token": box.token()})
        reply = await person.post("/auth/email/resend", {})
        assert (reply.status_code, reply.json()["code"]) == (409, "already_verified")
        await run_jobs()
        assert len(box.mails()) == 1


class TestSending:
    async def test_goes_through_the_mail_server(self, people: People, runtime: Runtime, run_jobs: RunJobs) -> None:
        async with mail_server() as server:
            async with sending_through(runtime, SmtpMailer(f"smtp://{server.host}", "memi <no-reply@memi.example>")):
                person = await people.new()
                await run_jobs()
            (message,) = server.mails
        assert message["To"] == person.email
        assert all(f"{runtime.settings.site_url}/auth/verify-email#token=" in body for body in bodies(message))

    async def test_a_server_that_is_away_loses_nothing_and_each_try_has_a_new_token(
        self, people: People, client: httpx.AsyncClient, runtime: Runtime, run_jobs: RunJobs, sql: Sql
    ) -> None:
        port = free_port()
        async with sending_through(runtime, SmtpMailer(f"smtp://127.0.0.1:{port}", "memi <no-reply@memi.example>")):
            person = await people.new()
            for _ in range(12):  # more often than other jobs are tried
                await run_mail_job(runtime, sql)
            assert await sql.value(f"SELECT execute_after - now() < interval '16 min' FROM pgqueuer WHERE {MAIL_JOB}")
            await sql.execute(f"UPDATE pgqueuer SET execute_after = now() WHERE {MAIL_JOB}")
            hashes = await sql.rows("SELECT token_hash FROM mail_tokens WHERE user_id = $1", person.id)
            assert len(hashes) == 3
            async with mail_server(port=port) as server:
                await run_jobs()
            (message,) = server.mails
        token = bodies(message)[0].partition("#token=")[2].split()[0]
        assert hashlib.sha256(token.encode()).digest() not in {row["token_hash"] for row in hashes}
        assert (await client.post(VERIFY, json={"token": token})).status_code == 200
        assert await sql.value("SELECT count(*) FROM dead_jobs") == 0

    async def test_a_server_that_is_away_for_a_day_leaves_a_dead_job(
        self, people: People, runtime: Runtime, run_jobs: RunJobs, settings: Settings, sql: Sql
    ) -> None:
        person, _ = await mailed(people, run_jobs, settings)
        payload = AccountMail(MailKind.VERIFY_EMAIL, clock.now() - timedelta(hours=25), UUID(person.id))
        mailer = SmtpMailer(f"smtp://127.0.0.1:{free_port()}", "memi <no-reply@memi.example>")
        async with sending_through(runtime, mailer):
            with pytest.raises(MailNotSent):  # which the queue counts, and buries in the end
                await send_account_mail.run(payload, runtime)
        assert await sql.value(f"SELECT count(*) FROM pgqueuer WHERE {MAIL_JOB}") == 0

    async def test_an_address_that_the_server_refuses_for_good_is_given_up(
        self, people: People, runtime: Runtime, run_jobs: RunJobs, sql: Sql
    ) -> None:
        async with mail_server() as server:
            async with sending_through(runtime, SmtpMailer(f"smtp://{server.host}", "memi <no-reply@memi.example>")):
                person = await people.new()
                server.refuse[person.email] = "550 no such mailbox"
                await run_jobs()
            assert server.mails == []
        assert await sql.value(f"SELECT count(*) FROM pgqueuer WHERE {MAIL_JOB}") == 0
        assert await sql.value("SELECT count(*) FROM dead_jobs") == 0

    async def test_what_was_not_committed_is_not_mailed(
        self, people: People, runtime: Runtime, run_jobs: RunJobs, settings: Settings
    ) -> None:
        person, box = await mailed(people, run_jobs, settings)
        unit = runtime.unit_of_work.open()
        await request_mail(unit.session, MailKind.SECOND_FACTOR_ADDED, UUID(person.id))
        await unit.close()
        await run_jobs()
        assert len(box.mails()) == 1

    async def test_a_mail_is_not_asked_for_without_what_it_needs(self, people: People, runtime: Runtime) -> None:
        person = await people.new()
        with pytest.raises(TypeError, match="provider"):
            async with runtime.unit_of_work() as session:
                await request_mail(session, MailKind.PROVIDER_LINKED, UUID(person.id))

    async def test_tokens_are_forgotten_after_their_time(
        self, people: People, runtime: Runtime, run_jobs: RunJobs, settings: Settings, sql: Sql
    ) -> None:
        person, _ = await mailed(people, run_jobs, settings)
        other, _ = await mailed(people, run_jobs, settings)
        await sql.execute("UPDATE mail_tokens SET expires_at = now() - interval '25 h' WHERE user_id = $1", person.id)
        await forget_what_is_over.run(runtime)
        assert await sql.value("SELECT count(*) FROM mail_tokens WHERE user_id = $1", person.id) == 0
        assert await sql.value("SELECT count(*) FROM mail_tokens WHERE user_id = $1", other.id) == 1


class TestNotices:
    async def test_a_device_never_seen_is_told_of_except_the_first(
        self, people: People, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings
    ) -> None:
        person, box = await mailed(people, run_jobs, settings)
        body = {"email": person.email, "password": PASSWORD}
        for agent in (None, "Fire <b>fox</b>", "Fire <b>fox</b>"):
            headers = {"User-Agent": agent} if agent else {}
            assert (await client.post("/api/v1/auth/login", json=body, headers=headers)).status_code == 200
            await run_jobs()
        (notice,) = box.mails("yeni giriş")
        content = notice.path.read_bytes()
        assert b"Cihaz: Fire <b>fox</b>." in content
        assert b"Fire &lt;b&gt;fox&lt;/b&gt;." in content

    async def test_a_refresh_token_used_again_is_told_of(
        self, people: People, client: httpx.AsyncClient, run_jobs: RunJobs, settings: Settings
    ) -> None:
        person, box = await mailed(people, run_jobs, settings)
        body = {"refresh_token": person.refresh_token}
        statuses = [(await client.post("/api/v1/auth/refresh", json=body)).status_code for _ in range(3)]
        assert statuses == [200, 200, 401]
        await run_jobs()
        assert len(box.mails("Şübhəli sessiyanı bağladıq")) == 1
