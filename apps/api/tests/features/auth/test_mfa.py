"""Getting, keeping and removing a second factor."""

import asyncio
import hashlib
from uuid import UUID

import httpx

from memi.auth.device import Device
from memi.auth.policy import AuthPolicy
from memi.auth.queries import has_second_factor
from memi.auth.sessions import open_session
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from memi.users import service as users
from support.factors import begin, enrol, first_factor, grow_old, mails, sign_in, verify
from support.people import PASSWORD, People, Person
from support.sql import Sql


async def factor_of(sql: Sql, person: Person) -> dict[str, object] | None:
    rows = await sql.rows("SELECT * FROM totp_factors WHERE user_id = $1", person.id)
    return rows[0] if rows else None


async def codes_of(sql: Sql, person: Person) -> list[dict[str, object]]:
    return await sql.rows("SELECT * FROM recovery_codes WHERE user_id = $1 ORDER BY code_hash", person.id)


async def another_session(client: httpx.AsyncClient, person: Person) -> Person:
    """The same account, signed in once more by password alone."""
    reply = await client.post("/api/v1/auth/login", json={"email": person.email, "password": PASSWORD})
    made = reply.json()
    return Person(client, person.id, person.email, made["access_token"], made["refresh_token"])


class TestEnrol:
    async def test_anonymous(self, client: httpx.AsyncClient) -> None:
        for path in ("totp/enrol", "totp/confirm", "recovery-codes"):
            assert (await client.post(f"/api/v1/auth/mfa/{path}", json={"code": "123456"})).status_code == 401
        assert (await client.get("/api/v1/auth/mfa")).status_code == 401
        assert (await client.request("DELETE", "/api/v1/auth/mfa/totp", json={"code": "123456"})).status_code == 401

    async def test_waits_for_a_verified_address_where_that_is_required(
        self, people: People, runtime: Runtime, sql: Sql
    ) -> None:
        """Else whoever registers somebody else's address locks its owner out for good."""
        person = await people.new()
        usual = runtime.adapters.get(Settings)
        runtime.adapters.set(Settings, usual.model_copy(update={"require_verified_email": True}))
        try:
            reply = await person.post("/auth/mfa/totp/enrol")
            assert (reply.status_code, reply.json()["code"]) == (403, "email_not_verified")
            assert await factor_of(sql, person) is None
            await sql.execute("UPDATE users SET email_verified_at = now() WHERE id = $1", person.id)
            assert (await person.post("/auth/mfa/totp/enrol")).status_code == 200
        finally:
            runtime.adapters.set(Settings, usual)

    async def test_the_secret_is_kept_sealed_and_counts_for_nothing_yet(
        self, people: People, client: httpx.AsyncClient, sql: Sql
    ) -> None:
        person = await people.new()
        app = await begin(person, sql)
        stored = await factor_of(sql, person)
        assert stored is not None
        sealed = stored["secret"]
        assert isinstance(sealed, bytes)
        assert app.secret.encode() not in sealed
        assert stored["confirmed_at"] is None
        assert (await person.get("/auth/mfa")).json() == {
            "totp": False,
            "recovery_codes_left": 0,
            "enrolment_required": False,
        }
        login = await client.post("/api/v1/auth/login", json={"email": person.email, "password": PASSWORD})
        assert "access_token" in login.json()

    async def test_beginning_again_replaces_what_was_not_confirmed(self, people: People, sql: Sql) -> None:
        person = await people.new()
        first, second = await begin(person, sql), await begin(person, sql)
        assert first.secret != second.secret
        old = await person.post("/auth/mfa/totp/confirm", {"code": await first.code()})
        assert (old.status_code, old.json()["code"]) == (403, "wrong_code")
        assert (await person.post("/auth/mfa/totp/confirm", {"code": await second.code()})).status_code == 200

    async def test_needs_a_recent_proof(self, people: People, sql: Sql) -> None:
        person = await people.new()
        await grow_old(sql, person)
        reply = await person.post("/auth/mfa/totp/enrol")
        assert (reply.status_code, reply.json()["code"]) == (403, "step_up_required")
        assert await factor_of(sql, person) is None

    async def test_a_confirmed_one_is_not_replaced(self, people: People, sql: Sql) -> None:
        person = await people.new()
        await enrol(person, sql)
        before = await factor_of(sql, person)
        reply = await person.post("/auth/mfa/totp/enrol")
        assert (reply.status_code, reply.json()["code"]) == (409, "mfa_already_enrolled")
        assert await factor_of(sql, person) == before


class TestConfirm:
    async def test_gives_recovery_codes_once_and_keeps_only_their_hashes(self, people: People, sql: Sql) -> None:
        person = await people.new()
        _, codes = await enrol(person, sql)
        assert len(set(codes)) == 10
        stored = await codes_of(sql, person)
        plain = [code.replace("-", "").encode() for code in codes]
        assert {row["code_hash"] for row in stored} == {hashlib.sha256(code).digest() for code in plain}
        status = await person.get("/auth/mfa")
        assert status.json() == {"totp": True, "recovery_codes_left": 10, "enrolment_required": False}
        for code in codes:
            assert code not in status.text

    async def test_ends_other_sessions_and_mails_the_owner(
        self, people: People, client: httpx.AsyncClient, sql: Sql
    ) -> None:
        person = await people.new()
        other = await another_session(client, person)
        await enrol(person, sql)
        assert (await other.get("/users/me")).status_code == 401
        body = {"refresh_token": other.refresh_token}
        assert (await client.post("/api/v1/auth/refresh", json=body)).status_code == 401
        assert (await person.get("/users/me")).status_code == 200
        refreshed = await client.post("/api/v1/auth/refresh", json={"refresh_token": person.refresh_token})
        assert refreshed.status_code == 200
        assert await mails(sql, person) == ["SECOND_FACTOR_ADDED"]

    async def test_a_wrong_code_changes_nothing(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        person = await people.new()
        other, app = await another_session(client, person), await begin(person, sql)
        before = await factor_of(sql, person)
        for code in (await app.wrong_code(), await app.code(-2), await app.code(2), "7XKD-2M9P-QR4T-0HVB-6ZNC-W8EJ"):
            reply = await person.post("/auth/mfa/totp/confirm", {"code": code})
            assert (reply.status_code, reply.json()["code"]) == (403, "wrong_code")
        assert await factor_of(sql, person) == before
        assert await codes_of(sql, person) == []
        assert await mails(sql, person) == []
        assert (await other.get("/users/me")).status_code == 200

    async def test_two_at_once_make_one_set_of_codes(self, people: People, sql: Sql) -> None:
        person = await people.new()
        app = await begin(person, sql)
        code = await app.code()
        replies = await asyncio.gather(*(person.post("/auth/mfa/totp/confirm", {"code": code}) for _ in range(4)))
        assert sorted(reply.status_code for reply in replies) == [200, 409, 409, 409]
        assert len(await codes_of(sql, person)) == 10
        assert await mails(sql, person) == ["SECOND_FACTOR_ADDED"]

    async def test_a_sign_in_under_way_does_not_outlive_it(
        self, people: People, client: httpx.AsyncClient, sql: Sql, runtime: Runtime
    ) -> None:
        """Who proved only a password, and looked for a factor just before there was one, opens a dead session."""
        person = await people.new()
        app = await begin(person, sql)
        async with runtime.unit_of_work() as session:
            user = await users.find_by_email(session, person.email)
            assert user is not None
            assert not await has_second_factor(session, user.id)
            confirmed = await person.post("/auth/mfa/totp/confirm", {"code": await app.code()})
            assert confirmed.status_code == 200
            opened = await open_session(session, runtime.adapters.get(AuthPolicy), user, Device(None, None), "token")
        me = await client.get("/api/v1/users/me", headers={"Authorization": f"Bearer {opened.access_token}"})
        assert me.status_code == 401
        refreshed = await client.post("/api/v1/auth/refresh", json={"refresh_token": opened.refresh_token})
        assert refreshed.status_code == 401
        assert (await person.get("/users/me")).status_code == 200

    async def test_without_a_beginning(self, people: People, sql: Sql) -> None:
        person = await people.new()
        reply = await person.post("/auth/mfa/totp/confirm", {"code": "123456"})
        assert (reply.status_code, reply.json()["code"]) == (409, "no_second_factor")
        assert await factor_of(sql, person) is None


class TestRemove:
    async def test_by_the_app(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        person = await people.new()
        app, _ = await enrol(person, sql)
        other = Person(client, person.id, person.email, "", "")
        await sign_in(client, other, app)
        reply = await person.delete("/auth/mfa/totp", json={"code": await app.fresh_code()})
        assert reply.status_code == 204
        assert await factor_of(sql, person) is None
        assert await codes_of(sql, person) == []
        assert await mails(sql, person) == ["SECOND_FACTOR_ADDED", "SECOND_FACTOR_REMOVED"]
        assert (await other.get("/users/me")).status_code == 401
        assert (await person.get("/users/me")).status_code == 200
        login = await client.post("/api/v1/auth/login", json={"email": person.email, "password": PASSWORD})
        assert "access_token" in login.json()
        shown = await sql.value(
            "SELECT count(*) FROM auth_sessions WHERE user_id = $1 AND mfa_at IS NOT NULL", person.id
        )
        assert shown == 0

    async def test_by_a_recovery_code(self, people: People, sql: Sql) -> None:
        person = await people.new()
        _, codes = await enrol(person, sql)
        assert (await person.delete("/auth/mfa/totp", json={"code": codes[3]})).status_code == 204
        assert await factor_of(sql, person) is None

    async def test_wrong_and_used_codes_change_nothing(self, people: People, sql: Sql) -> None:
        person = await people.new()
        app = await begin(person, sql)
        used = await app.code()
        assert (await person.post("/auth/mfa/totp/confirm", {"code": used})).status_code == 200
        before = await factor_of(sql, person)
        for code in (used, await app.wrong_code(), "7XKD-2M9P-QR4T-0HVB-6ZNC-W8EJ"):
            reply = await person.delete("/auth/mfa/totp", json={"code": code})
            assert (reply.status_code, reply.json()["code"]) == (403, "wrong_code")
        assert await factor_of(sql, person) == before
        assert len(await codes_of(sql, person)) == 10

    async def test_needs_a_recent_proof(self, people: People, sql: Sql) -> None:
        person = await people.new()
        app, codes = await enrol(person, sql)
        await grow_old(sql, person)
        for code in (await app.fresh_code(), codes[0]):
            reply = await person.delete("/auth/mfa/totp", json={"code": code})
            assert (reply.status_code, reply.json()["code"]) == (403, "step_up_required")
        assert await factor_of(sql, person) is not None
        assert (await person.get("/auth/mfa")).json()["recovery_codes_left"] == 10

    async def test_where_there_is_none(self, people: People, sql: Sql) -> None:
        person = await people.new()
        await begin(person, sql)
        reply = await person.delete("/auth/mfa/totp", json={"code": "123456"})
        assert (reply.status_code, reply.json()["code"]) == (409, "no_second_factor")


class TestRecoveryCodes:
    async def test_new_ones_void_the_old_ones(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        person = await people.new()
        _, old = await enrol(person, sql)
        reply = await person.post("/auth/mfa/recovery-codes")
        new = reply.json()["recovery_codes"]
        assert len(new) == 10
        assert not set(new) & set(old)
        token = await first_factor(client, person)
        assert (await verify(client, token, old[0])).json()["code"] == "wrong_code"
        assert (await verify(client, token, new[0])).status_code == 200
        assert await mails(sql, person) == ["SECOND_FACTOR_ADDED", "RECOVERY_CODES_RENEWED", "RECOVERY_CODE_USED"]

    async def test_each_works_once(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        person = await people.new()
        _, codes = await enrol(person, sql)
        written = codes[0].lower().replace("-", " ")
        assert (await verify(client, await first_factor(client, person), written)).status_code == 200
        again = await verify(client, await first_factor(client, person), codes[0])
        assert (again.status_code, again.json()["code"]) == (403, "wrong_code")
        assert (await verify(client, await first_factor(client, person), codes[1])).status_code == 200
        assert (await person.get("/auth/mfa")).json()["recovery_codes_left"] == 8

    async def test_are_for_who_has_a_factor_and_proved_it_lately(self, people: People, sql: Sql) -> None:
        person = await people.new()
        reply = await person.post("/auth/mfa/recovery-codes")
        assert (reply.status_code, reply.json()["code"]) == (409, "no_second_factor")
        await enrol(person, sql)
        before = await codes_of(sql, person)
        await grow_old(sql, person)
        reply = await person.post("/auth/mfa/recovery-codes")
        assert (reply.status_code, reply.json()["code"]) == (403, "step_up_required")
        assert await codes_of(sql, person) == before

    async def test_another_persons_code_is_none(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        person, other = await people.new(), await people.new()
        await enrol(person, sql)
        app, codes = await enrol(other, sql)
        token = await first_factor(client, person)
        for code in (codes[0], await app.fresh_code()):
            assert (await verify(client, token, code)).json()["code"] == "wrong_code"
        assert (await other.get("/auth/mfa")).json()["recovery_codes_left"] == 10


async def test_what_is_wrong_with_a_code_is_named(people: People) -> None:
    person = await people.new()
    for body in ({}, {"code": ""}, {"code": "1" * 65}, {"code": 123456}, {"code": "123456", "more": 1}):
        reply = await person.post("/auth/mfa/totp/confirm", body)
        assert reply.status_code == 422
        assert reply.json()["errors"][0]["pointer"] in ("/code", "/more")


async def test_an_erased_factor_goes_with_its_account(people: People, sql: Sql) -> None:
    person = await people.new()
    await enrol(person, sql)
    await sql.execute("DELETE FROM users WHERE id = $1", UUID(person.id))
    assert await factor_of(sql, person) is None
    assert await codes_of(sql, person) == []
