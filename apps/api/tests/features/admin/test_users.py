"""Blocking people and letting them act again."""

from uuid import UUID, uuid4

import httpx
import pytest

from memi.platform.permissions import Role
from support.items import make_listing
from support.people import PASSWORD, People
from support.sql import Sql

REASON = {"reason": "Sold the same coat three times"}


class TestBlock:
    async def test_anonymous_and_users(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        target, stranger = await people.new(), await people.new()
        for move in ("block", "unblock"):
            reply = await client.post(f"/api/v1/admin/users/{target.id}/{move}", json=REASON)
            assert reply.status_code == 401
            reply = await stranger.post(f"/admin/users/{target.id}/{move}", REASON)
            assert (reply.status_code, reply.json()["code"]) == (403, "permission_denied")
        assert await sql.value("SELECT is_blocked FROM users WHERE id = $1", target.id) is False

    async def test_ends_every_session_and_hides_the_listings(
        self, people: People, client: httpx.AsyncClient, sql: Sql
    ) -> None:
        target, moderator = await people.new(), await people.moderator()
        listing = await make_listing(target, sql)
        reply = await moderator.post(f"/admin/users/{target.id}/block", REASON)
        assert reply.status_code == 200
        assert (reply.json()["id"], reply.json()["is_blocked"]) == (target.id, True)
        assert (await target.get("/users/me")).json()["code"] == "invalid_token"
        body = {"refresh_token": target.refresh_token}
        assert (await client.post("/api/v1/auth/refresh", json=body)).status_code == 401
        login = await client.post("/api/v1/auth/login", json={"email": target.email, "password": PASSWORD})
        assert (login.status_code, login.json()["code"]) == (403, "account_blocked")
        assert (await client.get(f"/api/v1/users/{target.id}")).status_code == 404
        assert (await client.get(f"/api/v1/listings/{listing['id']}")).status_code == 404
        cards = (await client.get("/api/v1/listings?limit=100")).json()["items"]
        assert listing["id"] not in [card["id"] for card in cards]

    async def test_unblock_lets_them_sign_in_anew(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        target, moderator = await people.new(), await people.moderator()
        listing = await make_listing(target, sql)
        await moderator.post(f"/admin/users/{target.id}/block", REASON)
        reply = await moderator.post(f"/admin/users/{target.id}/unblock", {"reason": "It was a mix-up"})
        assert (reply.status_code, reply.json()["is_blocked"]) == (200, False)
        assert (await target.get("/users/me")).status_code == 401
        body = {"refresh_token": target.refresh_token}
        assert (await client.post("/api/v1/auth/refresh", json=body)).status_code == 401
        login = await client.post("/api/v1/auth/login", json={"email": target.email, "password": PASSWORD})
        assert login.status_code == 200
        assert (await client.get(f"/api/v1/listings/{listing['id']}")).status_code == 200

    async def test_is_audited(self, people: People, sql: Sql) -> None:
        target, moderator = await people.new(), await people.moderator()
        await moderator.post(f"/admin/users/{target.id}/block", REASON)
        await moderator.post(f"/admin/users/{target.id}/unblock", REASON)
        rows = await sql.rows("SELECT action, reason, before, after FROM audit_log WHERE target_id = $1", target.id)
        assert {row["action"] for row in rows} == {"user.block", "user.unblock"}
        block = next(row for row in rows if row["action"] == "user.block")
        decided = await sql.value("SELECT id FROM moderation_decisions WHERE subject_id = $1", UUID(target.id))
        after = f'{{"is_blocked": true, "decision_id": "{decided}"}}'
        assert (block["before"], block["after"]) == ('{"is_blocked": false}', after)
        assert block["reason"] == REASON["reason"]

    async def test_once(self, people: People, sql: Sql) -> None:
        target, moderator = await people.new(), await people.moderator()
        early = await moderator.post(f"/admin/users/{target.id}/unblock", REASON)
        assert (early.status_code, early.json()["code"]) == (409, "not_blocked")
        await moderator.post(f"/admin/users/{target.id}/block", REASON)
        again = await moderator.post(f"/admin/users/{target.id}/block", REASON)
        assert (again.status_code, again.json()["code"]) == (409, "already_blocked")
        assert await sql.value("SELECT count(*) FROM audit_log WHERE target_id = $1", target.id) == 1

    async def test_staff_only_by_administrators(self, people: People, sql: Sql) -> None:
        moderator, colleague, admin = await people.moderator(), await people.moderator(), await people.admin()
        for target in (colleague, admin):
            reply = await moderator.post(f"/admin/users/{target.id}/block", REASON)
            assert (reply.status_code, reply.json()["code"]) == (409, "staff_protected")
            assert await sql.value("SELECT is_blocked FROM users WHERE id = $1", target.id) is False
        assert (await admin.post(f"/admin/users/{colleague.id}/block", REASON)).status_code == 200
        assert (await colleague.get("/admin/users")).status_code == 401

    async def test_nobody_blocks_themselves(self, people: People, sql: Sql) -> None:
        for person in (await people.moderator(), await people.admin()):
            reply = await person.post(f"/admin/users/{person.id}/block", REASON)
            assert (reply.status_code, reply.json()["code"]) == (409, "cannot_block_self")
            assert (await person.get("/users/me")).status_code == 200

    async def test_a_demotion_acts_at_once(self, people: People, sql: Sql) -> None:
        moderator = await people.moderator()
        assert (await moderator.get("/admin/users")).status_code == 200
        await sql.execute("UPDATE users SET roles = $2 WHERE id = $1", moderator.id, [str(Role.USER)])
        assert (await moderator.get("/admin/users")).json()["code"] == "permission_denied"

    async def test_who_does_not_exist(self, people: People) -> None:
        moderator = await people.moderator()
        for move in ("block", "unblock"):
            assert (await moderator.post(f"/admin/users/{uuid4()}/{move}", REASON)).status_code == 404


class TestSearch:
    async def test_who_may(self, people: People, client: httpx.AsyncClient) -> None:
        person = await people.new()
        for path in ("/admin/users", f"/admin/users/{person.id}"):
            assert (await client.get(f"/api/v1{path}")).status_code == 401
            assert (await person.get(path)).json()["code"] == "permission_denied"

    async def test_by_a_part_of_address_or_name(self, people: People) -> None:
        moderator = await people.moderator()
        target = await people.new("Gülnarə")
        part = target.email.partition("@")[0].split(".")[1].upper()
        for query in (part, "ülnar"):
            items = (await moderator.get("/admin/users", params={"q": query})).json()["items"]
            assert target.id in [item["id"] for item in items]
        assert (await moderator.get("/admin/users", params={"q": "%_%"})).json()["items"] == []

    async def test_by_pages(self, people: People) -> None:
        moderator = await people.moderator()
        word = f"paged{uuid4().hex[:8]}"
        made = [(await people.new(word)).id for _ in range(3)]
        first = (await moderator.get(f"/admin/users?q={word}&limit=2")).json()
        second = (await moderator.get(f"/admin/users?q={word}&limit=2&cursor={first['next_cursor']}")).json()
        assert [item["id"] for item in first["items"] + second["items"]] == list(reversed(made))
        assert second["next_cursor"] is None

    async def test_one(self, people: People) -> None:
        moderator, target = await people.moderator(), await people.new()
        reply = await moderator.get(f"/admin/users/{target.id}")
        assert reply.status_code == 200
        assert (reply.json()["email"], reply.json()["is_blocked"]) == (target.email, False)
        assert "password" not in reply.text
        assert (await moderator.get(f"/admin/users/{uuid4()}")).status_code == 404

    @pytest.mark.parametrize("query", ["q=a", "q=", "limit=x", "email=a", "q=%00ab"])
    async def test_bad_queries(self, people: People, query: str) -> None:
        assert (await (await people.moderator()).get(f"/admin/users?{query}")).status_code == 422
