"""Proving oneself anew before what is dangerous."""

import asyncio

import httpx
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute

from memi.app import create_litestar
from memi.auth.passwords import PasswordHasher
from memi.platform.dependencies import recently_proved
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from memi.wiring import already_open
from support.browsers import signed_in_browser
from support.factors import enrol, grow_old, take
from support.people import PASSWORD, People, Person
from support.sql import Sql

DANGEROUS = {
    ("POST", "/api/v1/auth/mfa/totp/enrol"),
    ("POST", "/api/v1/auth/mfa/totp/confirm"),
    ("DELETE", "/api/v1/auth/mfa/totp"),
    ("POST", "/api/v1/auth/mfa/recovery-codes"),
    ("DELETE", "/api/v1/users/me"),
    ("POST", "/api/v1/auth/email/change"),
    ("POST", "/api/v1/auth/oauth/{provider}/link"),
    ("DELETE", "/api/v1/auth/oauth/{provider}"),
    ("POST", "/api/v1/admin/users/{user_id}/block"),
    ("POST", "/api/v1/admin/users/{user_id}/unblock"),
    ("DELETE", "/api/v1/admin/users/{user_id}"),
    ("POST", "/api/v1/admin/users/{user_id}/restore"),
    ("DELETE", "/api/v1/admin/users/{user_id}/mfa"),
    ("POST", "/api/v1/admin/users/{user_id}/sessions/end"),
    ("POST", "/api/v1/admin/jobs/dead/{job_id}/discard"),
    ("POST", "/api/v1/admin/users/{user_id}/impersonate"),
}
"""What a stolen session must not be enough for. Taking a line away is a decision."""


def guarded(app: Litestar) -> set[tuple[str, str]]:
    return {
        (method, route.path_format)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        for method in handler.http_methods
        if recently_proved in handler.resolve_guards()
    }


async def opened_by(sql: Sql, person: Person) -> list[dict[str, object]]:
    return await sql.rows(
        "SELECT id, revoked_at IS NOT NULL AS over, revoked_because, mfa_at IS NOT NULL AS mfa, transport"
        " FROM auth_sessions WHERE user_id = $1 ORDER BY id",
        person.id,
    )


class TestGuard:
    async def test_every_dangerous_deed_asks(self, settings: Settings, runtime: Runtime) -> None:
        app = create_litestar(settings, lambda: already_open(runtime))
        assert guarded(app) >= DANGEROUS

    async def test_a_fresh_sign_in_counts(self, people: People) -> None:
        person = await people.new()
        assert (await person.post("/auth/mfa/totp/enrol")).status_code == 200

    async def test_a_proof_lasts_as_long_as_configured(self, people: People, sql: Sql, settings: Settings) -> None:
        person = await people.new()
        for age, status in ((settings.step_up_seconds - 30, 200), (settings.step_up_seconds + 1, 403)):
            await sql.execute(
                "UPDATE auth_sessions SET authenticated_at = now() - make_interval(secs => $1) WHERE user_id = $2",
                age,
                person.id,
            )
            assert (await person.post("/auth/mfa/totp/enrol")).status_code == status

    async def test_a_refresh_proves_nothing(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        person = await people.new()
        await grow_old(sql, person)
        take(person, await client.post("/api/v1/auth/refresh", json={"refresh_token": person.refresh_token}))
        reply = await person.post("/auth/mfa/totp/enrol")
        assert (reply.status_code, reply.json()["code"]) == (403, "step_up_required")

    async def test_what_one_may_not_do_is_told_before_what_one_must_prove(self, people: People, sql: Sql) -> None:
        person, target = await people.new(), await people.new()
        await grow_old(sql, person)
        reply = await person.post(f"/admin/users/{target.id}/block", {"reason": "none at all"})
        assert (reply.status_code, reply.json()["code"]) == (403, "permission_denied")

    async def test_a_stale_moderator_blocks_nobody(self, people: People, sql: Sql) -> None:
        moderator, target = await people.moderator(), await people.new()
        await grow_old(sql, moderator)
        reason = {"reason": "Sold the same coat three times"}
        reply = await moderator.post(f"/admin/users/{target.id}/block", reason)
        assert (reply.status_code, reply.json()["code"]) == (403, "step_up_required")
        assert await sql.value("SELECT is_blocked FROM users WHERE id = $1", target.id) is False
        take(moderator, await moderator.post("/auth/step-up", {"password": PASSWORD}))
        assert (await moderator.post(f"/admin/users/{target.id}/block", reason)).status_code == 200


class TestByPassword:
    async def test_the_session_goes_on_under_new_tokens(
        self, people: People, client: httpx.AsyncClient, sql: Sql, settings: Settings
    ) -> None:
        person = await people.new()
        await grow_old(sql, person)
        stolen = Person(client, person.id, person.email, person.access_token, person.refresh_token)
        reply = await person.post("/auth/step-up", {"password": PASSWORD})
        take(person, reply)
        assert set(reply.json()) == {"access_token", "token_type", "expires_in", "refresh_token", "until"}
        left = await sql.value("SELECT extract(epoch FROM $1::text::timestamptz - now())", reply.json()["until"])
        assert settings.step_up_seconds - 30 < left <= settings.step_up_seconds
        assert (await person.post("/auth/mfa/totp/enrol")).status_code == 200
        # Who held the old tokens gained nothing by the owner's proof, and lost them.
        assert (await stolen.post("/auth/mfa/totp/enrol")).status_code == 401
        body = {"refresh_token": stolen.refresh_token}
        assert (await client.post("/api/v1/auth/refresh", json=body)).status_code == 401
        assert (await person.get("/users/me")).status_code == 200
        assert [(row["over"], row["revoked_because"]) for row in await opened_by(sql, person)] == [
            (True, "proved_anew"),
            (False, None),
        ]

    async def test_other_sessions_stay_as_they_were(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        person = await people.new()
        login = await client.post("/api/v1/auth/login", json={"email": person.email, "password": PASSWORD})
        other = Person(client, person.id, person.email, login.json()["access_token"], login.json()["refresh_token"])
        await grow_old(sql, person)
        take(person, await person.post("/auth/step-up", {"password": PASSWORD}))
        assert (await other.get("/users/me")).status_code == 200
        assert (await other.post("/auth/mfa/totp/enrol")).json()["code"] == "step_up_required"

    async def test_in_a_browser(self, client: httpx.AsyncClient, sql: Sql) -> None:
        async with signed_in_browser(client) as browser:
            await sql.execute("UPDATE auth_sessions SET authenticated_at = 'epoch' WHERE user_id = $1", browser.id)
            assert (await browser.request("POST", "/auth/mfa/totp/enrol")).json()["code"] == "step_up_required"
            forged = await browser.request("POST", "/auth/step-up", csrf=None, json={"password": PASSWORD})
            assert (forged.status_code, forged.json()["code"]) == (403, "csrf_failed")
            old = dict(browser.client.cookies)
            reply = await browser.request("POST", "/auth/step-up", json={"password": PASSWORD})
            assert set(reply.json()) == {"expires_in", "csrf_token", "until"}
            assert not set(old.values()) & set(dict(browser.client.cookies).values())
            assert (await browser.request("POST", "/auth/mfa/totp/enrol")).json()["code"] == "csrf_failed"
            browser.csrf = reply.json()["csrf_token"]
            assert (await browser.request("POST", "/auth/mfa/totp/enrol")).status_code == 200

    async def test_a_wrong_one_changes_nothing(self, people: People, sql: Sql) -> None:
        person = await people.new()
        await grow_old(sql, person)
        before = await opened_by(sql, person)
        reply = await person.post("/auth/step-up", {"password": "not that one at all"})
        assert (reply.status_code, reply.json()["code"]) == (403, "wrong_password")
        assert await opened_by(sql, person) == before
        assert (await person.post("/auth/mfa/totp/enrol")).json()["code"] == "step_up_required"

    async def test_guesses_count_with_those_at_the_door(
        self, people: People, client: httpx.AsyncClient, sql: Sql
    ) -> None:
        person = await people.new()
        for _ in range(5):
            assert (await person.post("/auth/step-up", {"password": "a guess"})).json()["code"] == "wrong_password"
        reply = await person.post("/auth/step-up", {"password": PASSWORD})
        assert (reply.status_code, reply.json()["code"]) == (429, "too_many_attempts")
        login = await client.post("/api/v1/auth/login", json={"email": person.email, "password": PASSWORD})
        assert login.status_code == 429
        assert len(await opened_by(sql, person)) == 1

    async def test_one_that_was_changed_while_it_was_verified(self, people: People, runtime: Runtime, sql: Sql) -> None:
        person = await people.new()
        hasher = runtime.adapters.get(PasswordHasher)
        other = await hasher.hash("another passphrase of theirs")
        crowd = [asyncio.create_task(hasher.hash(f"of somebody else {n}")) for n in range(40)]
        proof = asyncio.create_task(person.post("/auth/step-up", {"password": PASSWORD}))
        await asyncio.sleep(0.1)  # it has read the old hash, and waits behind the crowd
        assert not crowd[-1].done()
        await sql.execute("UPDATE users SET password_hash = $1 WHERE id = $2", other, person.id)
        reply = await proof
        await asyncio.gather(*crowd)
        assert reply.json()["code"] == "wrong_password"
        assert len(await opened_by(sql, person)) == 1

    async def test_an_account_without_one_signs_in_again(self, people: People, sql: Sql) -> None:
        person = await people.new()
        await sql.execute("UPDATE users SET password_hash = NULL WHERE id = $1", person.id)
        reply = await person.post("/auth/step-up", {"password": PASSWORD})
        assert (reply.status_code, reply.json()["code"]) == (403, "sign_in_again")
        assert len(await opened_by(sql, person)) == 1


class TestByCode:
    async def test_of_the_app_or_a_recovery_code(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        person = await people.new()
        app, codes = await enrol(person, sql)
        for code in (await app.code(), codes[0]):
            await grow_old(sql, person)
            assert (await person.post("/auth/mfa/recovery-codes")).json()["code"] == "step_up_required"
            take(person, await person.post("/auth/step-up", {"code": code}))
            assert (await opened_by(sql, person))[-1]["mfa"] is True
        assert (await person.post("/auth/mfa/recovery-codes")).status_code == 200

    async def test_a_password_is_not_enough_where_there_is_a_factor(self, people: People, sql: Sql) -> None:
        person = await people.new()
        await enrol(person, sql)
        await grow_old(sql, person)
        before = await opened_by(sql, person)
        reply = await person.post("/auth/step-up", {"password": PASSWORD})
        assert (reply.status_code, reply.json()["code"]) == (403, "second_factor_needed")
        assert await opened_by(sql, person) == before

    async def test_wrong_and_used_ones_change_nothing(self, people: People, sql: Sql) -> None:
        person = await people.new()
        app, _ = await enrol(person, sql)
        used = await app.code()
        take(person, await person.post("/auth/step-up", {"code": used}))
        await grow_old(sql, person)
        before = await opened_by(sql, person)
        for code in (used, await app.wrong_code()):
            reply = await person.post("/auth/step-up", {"code": code})
            assert (reply.status_code, reply.json()["code"]) == (403, "wrong_code")
        assert await opened_by(sql, person) == before

    async def test_one_code_twice_at_once_proves_one(self, people: People, sql: Sql) -> None:
        person = await people.new()
        app, _ = await enrol(person, sql)
        code = await app.code()
        replies = await asyncio.gather(*(person.post("/auth/step-up", {"code": code}) for _ in range(3)))
        assert [reply.status_code for reply in replies].count(200) == 1
        assert sum(not row["over"] for row in await opened_by(sql, person)) == 1

    async def test_without_a_factor(self, people: People) -> None:
        reply = await (await people.new()).post("/auth/step-up", {"code": "123456"})
        assert (reply.status_code, reply.json()["code"]) == (409, "no_second_factor")


@pytest.mark.parametrize("body", [{}, {"password": PASSWORD, "code": "123456"}, {"code": "1"}, {"pin": "1234"}])
async def test_exactly_one_proof_is_taken(people: People, body: dict[str, str]) -> None:
    person = await people.new()
    assert (await person.post("/auth/step-up", body)).status_code == 422
    assert (await person.get("/users/me")).status_code == 200


async def test_anonymous(client: httpx.AsyncClient) -> None:
    assert (await client.post("/api/v1/auth/step-up", json={"password": PASSWORD})).status_code == 401
