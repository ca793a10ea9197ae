"""Staff and how people sign in: lost second factors, sessions that must end."""

from uuid import uuid4

import httpx
import pytest

from support.factors import enrol, first_factor, grow_old, mails, sign_in, verify
from support.people import PASSWORD, People, Person
from support.sql import Sql

REASON = {"reason": "Phone lost; identity card seen"}


async def standing(sql: Sql, person: Person) -> int:
    return await sql.value(
        "SELECT count(*) FROM auth_sessions s JOIN users u ON u.id = s.user_id"
        " WHERE u.id = $1 AND s.revoked_at IS NULL AND s.epoch = u.epoch",
        person.id,
    )


async def entries(sql: Sql, target: str) -> list[dict[str, object]]:
    return await sql.rows("SELECT * FROM audit_log WHERE target_id = $1 ORDER BY at, id", target)


class TestResetMfa:
    async def test_only_administrators(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        target, stranger, moderator = await people.new(), await people.new(), await people.moderator()
        await enrol(target, sql)
        path = f"/admin/users/{target.id}/mfa"
        assert (await client.request("DELETE", f"/api/v1{path}", json=REASON)).status_code == 401
        for person in (stranger, target, moderator):
            reply = await person.delete(path, json=REASON)
            assert (reply.status_code, reply.json()["code"]) == (403, "permission_denied")
        assert (await target.get("/auth/mfa")).json()["totp"] is True
        assert await entries(sql, target.id) == []

    async def test_takes_it_away_with_every_session(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        target, admin = await people.new(), await people.admin()
        app, codes = await enrol(target, sql)
        begun = await first_factor(client, target)
        reply = await admin.delete(f"/admin/users/{target.id}/mfa", json=REASON)
        assert reply.status_code == 204, reply.text
        assert await standing(sql, target) == 0
        assert (await target.get("/users/me")).status_code == 401
        for code in (await app.code(), codes[0]):
            assert (await verify(client, begun, code)).json()["code"] == "invalid_mfa_token"
        login = await client.post("/api/v1/auth/login", json={"email": target.email, "password": PASSWORD})
        assert "access_token" in login.json()
        assert await mails(sql, target) == ["SECOND_FACTOR_ADDED", "SECOND_FACTOR_REMOVED"]
        (entry,) = await entries(sql, target.id)
        assert (str(entry["actor_id"]), entry["action"]) == (admin.id, "user.reset_mfa")
        assert entry["reason"] == REASON["reason"]

    async def test_needs_a_recent_proof(self, people: People, sql: Sql) -> None:
        target, admin = await people.new(), await people.admin()
        await enrol(target, sql)
        await grow_old(sql, admin)
        reply = await admin.delete(f"/admin/users/{target.id}/mfa", json=REASON)
        assert (reply.status_code, reply.json()["code"]) == (403, "step_up_required")
        assert (await target.get("/auth/mfa")).json()["totp"] is True

    async def test_not_ones_own(self, people: People, sql: Sql) -> None:
        admin = await people.admin()
        await enrol(admin, sql)
        reply = await admin.delete(f"/admin/users/{admin.id}/mfa", json=REASON)
        assert (reply.status_code, reply.json()["code"]) == (409, "cannot_reset_self")
        assert (await admin.get("/auth/mfa")).json()["totp"] is True

    async def test_where_there_is_none(self, people: People, sql: Sql) -> None:
        target, admin = await people.new(), await people.admin()
        reply = await admin.delete(f"/admin/users/{target.id}/mfa", json=REASON)
        assert (reply.status_code, reply.json()["code"]) == (409, "no_second_factor")
        assert await standing(sql, target) == 1
        assert (await admin.delete(f"/admin/users/{uuid4()}/mfa", json=REASON)).status_code == 404
        assert await entries(sql, target.id) == []


class TestEndSessions:
    async def test_anonymous_and_users(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        target, stranger = await people.new(), await people.new()
        path = f"/admin/users/{target.id}/sessions/end"
        assert (await client.post(f"/api/v1{path}", json=REASON)).status_code == 401
        assert (await stranger.post(path, REASON)).json()["code"] == "permission_denied"
        assert await standing(sql, target) == 1

    async def test_signs_a_person_out_everywhere(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        target, moderator = await people.new(), await people.moderator()
        app, _ = await enrol(target, sql)
        begun = await first_factor(client, target)
        assert (await moderator.post(f"/admin/users/{target.id}/sessions/end", REASON)).status_code == 204
        assert (await target.get("/users/me")).status_code == 401
        body = {"refresh_token": target.refresh_token}
        assert (await client.post("/api/v1/auth/refresh", json=body)).status_code == 401
        assert (await verify(client, begun, await app.code())).json()["code"] == "invalid_mfa_token"
        await sign_in(client, target, app)
        assert (await target.get("/users/me")).status_code == 200
        (entry,) = await entries(sql, target.id)
        assert (str(entry["actor_id"]), entry["action"]) == (moderator.id, "user.end_sessions")
        assert entry["reason"] == REASON["reason"]

    async def test_staff_only_by_administrators(self, people: People, sql: Sql) -> None:
        moderator, colleague, admin = await people.moderator(), await people.moderator(), await people.admin()
        reply = await moderator.post(f"/admin/users/{colleague.id}/sessions/end", REASON)
        assert (reply.status_code, reply.json()["code"]) == (409, "staff_protected")
        assert (await colleague.get("/users/me")).status_code == 200
        assert (await admin.post(f"/admin/users/{colleague.id}/sessions/end", REASON)).status_code == 204
        assert (await colleague.get("/users/me")).status_code == 401

    async def test_needs_a_recent_proof(self, people: People, sql: Sql) -> None:
        target, moderator = await people.new(), await people.moderator()
        await grow_old(sql, moderator)
        reply = await moderator.post(f"/admin/users/{target.id}/sessions/end", REASON)
        assert (reply.status_code, reply.json()["code"]) == (403, "step_up_required")
        assert (await target.get("/users/me")).status_code == 200

    @pytest.mark.parametrize("body", [{}, {"reason": "x"}, {"reason": "fine", "more": 1}])
    async def test_a_reason_is_needed(self, people: People, sql: Sql, body: dict[str, object]) -> None:
        target, moderator = await people.new(), await people.moderator()
        assert (await moderator.post(f"/admin/users/{target.id}/sessions/end", body)).status_code == 422
        assert await standing(sql, target) == 1
