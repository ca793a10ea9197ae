"""Signing in with a second factor."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import httpx
import pytest
from pydantic import SecretStr

from memi import wiring
from memi.app import create_litestar
from memi.auth import sessions
from memi.auth.mfa import CHALLENGE_ATTEMPTS
from memi.auth.mfa_jobs import prune_mfa_challenges
from memi.platform.gateway import Gateway
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from support.browsers import browser_of
from support.factors import enrol, first_factor, mails, sign_in, take, verify
from support.people import PASSWORD, People, Person
from support.sql import Sql


async def sessions_of(sql: Sql, person: Person) -> int:
    return await sql.value("SELECT count(*) FROM auth_sessions WHERE user_id = $1", person.id)


class TestVerify:
    async def test_a_right_code_signs_in(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        person = await people.new()
        app, _ = await enrol(person, sql)
        login = await client.post("/api/v1/auth/login", json={"email": person.email, "password": PASSWORD})
        assert login.status_code == 200
        asked = login.json()
        assert {**asked, "mfa_token": ""} == {
            "mfa_required": True,
            "mfa_token": "",
            "expires_in": 300,
            "methods": ["totp", "recovery_code"],
        }
        assert len(base64.urlsafe_b64decode(asked["mfa_token"] + "=")) * 8 == 256
        before = await sessions_of(sql, person)
        reply = await verify(client, asked["mfa_token"], await app.code())
        assert reply.status_code == 200, reply.text
        assert (reply.json()["user"]["id"], reply.json()["token_type"]) == (person.id, "Bearer")
        assert await sessions_of(sql, person) == before + 1
        take(person, reply)
        shown = next(item for item in (await person.get("/auth/sessions")).json()["items"] if item["current"])
        assert shown["second_factor"] is True

    async def test_in_a_browser_the_tokens_are_cookies(
        self, people: People, client: httpx.AsyncClient, sql: Sql
    ) -> None:
        person = await people.new()
        app, _ = await enrol(person, sql)
        async with browser_of(client) as browser:
            token = await first_factor(browser, person, transport="cookie")
            assert not browser.cookies
            reply = await verify(browser, token, await app.code())
            assert set(reply.json()) == {"user", "expires_in", "csrf_token"}
            assert (await browser.get("/api/v1/users/me")).json()["id"] == person.id

    async def test_a_refresh_keeps_what_was_shown(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        person = await people.new()
        app, _ = await enrol(person, sql)
        await sign_in(client, person, app)
        shown = "SELECT mfa_at FROM auth_sessions WHERE user_id = $1 ORDER BY id DESC LIMIT 1"
        before = await sql.value(shown, person.id)
        assert before is not None
        take(person, await client.post("/api/v1/auth/refresh", json={"refresh_token": person.refresh_token}))
        assert await sql.value(shown, person.id) == before

    async def test_the_password_alone_opens_nothing(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        person = await people.new()
        await enrol(person, sql)
        before = await sessions_of(sql, person)
        token = await first_factor(client, person)
        me = await client.get("/api/v1/users/me", headers={"Authorization": f"Bearer {token}"})
        assert me.status_code == 401
        assert (await client.post("/api/v1/auth/refresh", json={"refresh_token": token})).status_code == 401
        assert await sessions_of(sql, person) == before
        assert await sql.value("SELECT count(*) FROM mfa_challenges WHERE token_hash = $1", token.encode()) == 0

    async def test_using_a_recovery_code_is_mailed(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        person = await people.new()
        _, codes = await enrol(person, sql)
        assert (await verify(client, await first_factor(client, person), codes[0])).status_code == 200
        assert (await mails(sql, person))[-1] == "RECOVERY_CODE_USED"


class TestReuse:
    async def test_a_time_step_works_once(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        person = await people.new()
        app, _ = await enrol(person, sql)
        code = await app.code()
        assert (await verify(client, await first_factor(client, person), code)).status_code == 200
        before = await sessions_of(sql, person)
        again = await verify(client, await first_factor(client, person), code)
        assert (again.status_code, again.json()["code"]) == (403, "wrong_code")
        assert await sessions_of(sql, person) == before

    async def test_an_earlier_step_than_the_last_one_is_refused(
        self, people: People, client: httpx.AsyncClient, sql: Sql
    ) -> None:
        person = await people.new()
        app, _ = await enrol(person, sql)
        assert (await verify(client, await first_factor(client, person), await app.code())).status_code == 200
        token = await first_factor(client, person)
        assert (await verify(client, token, await app.code(-1))).json()["code"] == "wrong_code"
        assert (await verify(client, token, await app.code(1))).status_code == 200

    @pytest.mark.parametrize(("away", "status"), [(-2, 403), (-1, 200), (0, 200), (1, 200), (2, 403)])
    async def test_a_clock_may_be_a_step_off(
        self, people: People, client: httpx.AsyncClient, sql: Sql, away: int, status: int
    ) -> None:
        person = await people.new()
        app, _ = await enrol(person, sql)
        assert (await verify(client, await first_factor(client, person), await app.code(away))).status_code == status

    async def test_one_code_on_two_sign_ins_at_once_opens_one(
        self, people: People, client: httpx.AsyncClient, sql: Sql
    ) -> None:
        person = await people.new()
        app, codes = await enrol(person, sql)
        for code in (await app.code(), codes[0]):
            tokens = [await first_factor(client, person) for _ in range(4)]
            before = await sessions_of(sql, person)
            replies = await asyncio.gather(*(verify(client, token, code) for token in tokens))
            assert sorted(reply.status_code for reply in replies) == [200, 403, 403, 403]
            assert await sessions_of(sql, person) == before + 1

    async def test_one_token_with_two_codes_at_once_opens_one(
        self, people: People, client: httpx.AsyncClient, sql: Sql
    ) -> None:
        person = await people.new()
        app, codes = await enrol(person, sql)
        token, before = await first_factor(client, person), await sessions_of(sql, person)
        replies = await asyncio.gather(*(verify(client, token, code) for code in (await app.code(), *codes[:3])))
        assert sorted(reply.status_code for reply in replies) == [200, 401, 401, 401]
        assert {reply.json().get("code") for reply in replies} == {None, "invalid_mfa_token"}
        assert await sessions_of(sql, person) == before + 1
        spent = await sql.value(
            "SELECT count(*) FROM recovery_codes WHERE user_id = $1 AND used_at IS NOT NULL", person.id
        )
        assert spent <= 1  # what a void sign-in was shown is not used up


class TestVoid:
    async def test_unknown_and_spent_tokens(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        person = await people.new()
        app, codes = await enrol(person, sql)
        token = await first_factor(client, person)
        assert (await verify(client, token, await app.code())).status_code == 200
        for void in (token, token[::-1], "x" * 43):
            reply = await verify(client, void, codes[0])
            assert (reply.status_code, reply.json()["code"]) == (401, "invalid_mfa_token")
        assert (await person.get("/auth/mfa")).json()["recovery_codes_left"] == 10

    async def test_after_five_minutes(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        person = await people.new()
        app, _ = await enrol(person, sql)
        token = await first_factor(client, person)
        life = await sql.value(
            "SELECT extract(epoch FROM expires_at - created_at)::int FROM mfa_challenges WHERE user_id = $1", person.id
        )
        assert life == 300
        await sql.execute("UPDATE mfa_challenges SET expires_at = now() WHERE user_id = $1", person.id)
        before = await sessions_of(sql, person)
        reply = await verify(client, token, await app.code())
        assert (reply.status_code, reply.json()["code"]) == (401, "invalid_mfa_token")
        assert await sessions_of(sql, person) == before

    async def test_after_five_wrong_codes(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        person = await people.new()
        app, _ = await enrol(person, sql)
        token, wrong = await first_factor(client, person), await app.wrong_code()
        for _ in range(CHALLENGE_ATTEMPTS):
            assert (await verify(client, token, wrong)).json()["code"] == "wrong_code"
        await sql.execute("DELETE FROM auth_failures")
        before = await sessions_of(sql, person)
        reply = await verify(client, token, await app.code())
        assert (reply.status_code, reply.json()["code"]) == (401, "invalid_mfa_token")
        assert await sessions_of(sql, person) == before

    async def test_when_every_session_of_the_account_ended_meanwhile(
        self, people: People, client: httpx.AsyncClient, sql: Sql, runtime: Runtime
    ) -> None:
        """As after a password was reset: whoever stole the token is left with nothing."""
        person = await people.new()
        app, _ = await enrol(person, sql)
        token = await first_factor(client, person)
        async with runtime.unit_of_work() as session:
            await sessions.end_all(session, UUID(person.id), "password_reset")
        before = await sessions_of(sql, person)
        reply = await verify(client, token, await app.code())
        assert (reply.status_code, reply.json()["code"]) == (401, "invalid_mfa_token")
        assert await sessions_of(sql, person) == before

    async def test_when_the_account_was_blocked_or_went_meanwhile(
        self, people: People, client: httpx.AsyncClient, sql: Sql
    ) -> None:
        for change, code in (("is_blocked = true", "account_blocked"), ("deleted_at = now()", "invalid_mfa_token")):
            person = await people.new()
            app, _ = await enrol(person, sql)
            token, before = await first_factor(client, person), await sessions_of(sql, person)
            await sql.execute(f"UPDATE users SET {change} WHERE id = $1", person.id)
            assert (await verify(client, token, await app.code())).json()["code"] == code
            assert await sessions_of(sql, person) == before

    async def test_what_is_over_is_forgotten(
        self, people: People, client: httpx.AsyncClient, sql: Sql, runtime: Runtime
    ) -> None:
        person = await people.new()
        app, _ = await enrol(person, sql)
        await first_factor(client, person)
        await sql.execute("UPDATE mfa_challenges SET expires_at = now() WHERE user_id = $1", person.id)
        token = await first_factor(client, person)
        await prune_mfa_challenges.run(runtime)
        assert await sql.value("SELECT count(*) FROM mfa_challenges WHERE user_id = $1", person.id) == 1
        assert (await verify(client, token, await app.code())).status_code == 200


class TestGuessing:
    async def test_wrong_codes_make_the_next_wait_whatever_the_token(
        self, people: People, client: httpx.AsyncClient, sql: Sql
    ) -> None:
        person = await people.new()
        app, codes = await enrol(person, sql)
        wrong, before = await app.wrong_code(), await sessions_of(sql, person)
        for _ in range(5):
            assert (await verify(client, await first_factor(client, person), wrong)).json()["code"] == "wrong_code"
        for code in (await app.code(), codes[0]):
            reply = await verify(client, await first_factor(client, person), code)
            assert (reply.status_code, reply.json()["code"]) == (429, "too_many_attempts")
            assert int(reply.headers["retry-after"]) >= 1
        stepped = await person.post("/auth/step-up", {"code": await app.code()})
        assert stepped.json()["code"] == "too_many_attempts"
        assert await sessions_of(sql, person) == before
        assert (await person.get("/auth/mfa")).json()["recovery_codes_left"] == 10
        await asyncio.sleep(2.1)
        assert (await verify(client, await first_factor(client, person), await app.code())).status_code == 200

    async def test_a_right_code_forgets_the_wrong_ones(
        self, people: People, client: httpx.AsyncClient, sql: Sql
    ) -> None:
        person = await people.new()
        app, _ = await enrol(person, sql)
        wrong = await app.wrong_code()
        for _ in range(3):
            token = await first_factor(client, person)
            for _ in range(3):
                assert (await verify(client, token, wrong)).json()["code"] == "wrong_code"
            assert (await verify(client, token, await app.fresh_code())).status_code == 200

    async def test_a_crowd_of_guesses_is_not_looked_at(
        self, people: People, client: httpx.AsyncClient, sql: Sql
    ) -> None:
        person = await people.new()
        app, _ = await enrol(person, sql)
        tokens, wrong = [await first_factor(client, person) for _ in range(4)], await app.wrong_code()
        replies = await asyncio.gather(*(verify(client, token, wrong) for token in tokens for _ in range(10)))
        said = [reply.json()["code"] for reply in replies]
        # Where the machine is slow a wait ends meanwhile, and a challenge may be used up.
        assert set(said) <= {"wrong_code", "too_many_attempts", "invalid_mfa_token"}
        assert 5 <= said.count("wrong_code") <= 7 < said.count("too_many_attempts")


class TestKeyRotation:
    async def test_an_older_key_still_opens_the_secret_which_is_sealed_anew(
        self, people: People, client: httpx.AsyncClient, sql: Sql, settings: Settings
    ) -> None:
        person, idle = await people.new(), await people.new()
        (app, _), (idle_app, idle_codes) = await enrol(person, sql), await enrol(idle, sql)
        old = json.loads((settings.data_dir / "keys.json").read_text())
        new = {"newer": base64.b64encode(uuid4().bytes * 2).decode()}
        async with app_with_keys(settings, new | old) as rotated:
            reply = await verify(rotated, await first_factor(rotated, person), await app.code())
            assert reply.status_code == 200
        assert await sealed_by(sql, person) == "newer"
        assert await sealed_by(sql, idle) == next(iter(old))
        async with app_with_keys(settings, new) as without_old:
            reply = await verify(without_old, await first_factor(without_old, person), await app.fresh_code())
            assert reply.status_code == 200
            # Who was not here while both keys were there has the recovery codes still.
            token = await first_factor(without_old, idle)
            assert (await verify(without_old, token, await idle_app.code())).json()["code"] == "internal_error"
            assert (await verify(without_old, token, idle_codes[0])).status_code == 200


@asynccontextmanager
async def app_with_keys(settings: Settings, keys: dict[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    """The same service started with another key ring."""
    changed = settings.model_copy(update={"key_ring": SecretStr(json.dumps(keys))})
    assert settings.database_url is not None
    async with wiring.open_runtime(changed, settings.database_url.get_secret_value()) as runtime:
        app = create_litestar(changed, lambda: wiring.already_open(runtime))
        transport = httpx.ASGITransport(Gateway(app, changed), raise_app_exceptions=False)  # pyright: ignore[reportArgumentType]
        async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://test") as opened:
            yield opened


async def sealed_by(sql: Sql, person: Person) -> str:
    sealed = await sql.value("SELECT secret FROM totp_factors WHERE user_id = $1", person.id)
    return sealed[1 : 1 + sealed[0]].decode()
