"""Who is staff: appointed and dismissed by administrators, and always somebody left who can."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from support.factors import grow_old
from support.items import make_listing
from support.people import PASSWORD, People, Person
from support.sql import Sql

REASON = "Joins the team"


async def roles(sql: Sql, person: Person) -> list[str]:
    return sorted(await sql.value("SELECT roles FROM users WHERE id = $1", person.id))


async def change(admin: Person, person: Person, *wanted: str, **options: object) -> httpx.Response:
    return await admin.put(f"/admin/users/{person.id}/roles", {"roles": list(wanted), "reason": REASON}, **options)


async def entries(sql: Sql, person: Person) -> list[dict[str, object]]:
    return await sql.rows("SELECT * FROM audit_log WHERE target_id = $1 AND action = 'user.roles'", person.id)


class TestWhoMay:
    async def test_only_administrators(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        target, moderator = await people.new(), await people.moderator()
        body = {"roles": ["ADMIN"], "reason": REASON}
        assert (await client.put(f"/api/v1/admin/users/{target.id}/roles", json=body)).status_code == 401
        for person in (target, moderator):
            reply = await person.put(f"/admin/users/{person.id}/roles", body)
            assert (reply.status_code, reply.json()["code"]) == (403, "permission_denied")
        assert await roles(sql, target) == ["USER"]
        assert await entries(sql, target) == []

    async def test_needs_a_recent_proof(self, people: People, sql: Sql) -> None:
        target, admin = await people.new(), await people.admin()
        await grow_old(sql, admin)
        reply = await change(admin, target, "MODERATOR")
        assert (reply.status_code, reply.json()["code"]) == (403, "step_up_required")
        assert await roles(sql, target) == ["USER"]

    async def test_nobody_decides_about_themselves(self, people: People, sql: Sql) -> None:
        admin, _ = await people.admin(), await people.admin()
        for wanted in ((), ("ADMIN", "MODERATOR")):
            reply = await change(admin, admin, *wanted)
            assert (reply.status_code, reply.json()["code"]) == (409, "cannot_change_own_roles")
        assert await roles(sql, admin) == ["ADMIN", "USER"]


class TestChange:
    async def test_an_appointment_counts_in_the_session_that_is_open(self, people: People, sql: Sql) -> None:
        target, admin = await people.new(), await people.admin()
        assert (await target.get("/admin/users")).status_code == 403
        reply = await change(admin, target, "MODERATOR")
        assert (reply.status_code, reply.json()["roles"]) == (200, ["MODERATOR", "USER"])
        assert reply.headers["etag"] == f'"{reply.json()["version"]}"'
        assert (await target.get("/admin/users")).status_code == 200
        (entry,) = await entries(sql, target)
        assert (entry["before"], entry["after"]) == ('{"roles": ["USER"]}', '{"roles": ["MODERATOR", "USER"]}')
        assert (str(entry["actor_id"]), entry["reason"]) == (admin.id, REASON)

    async def test_a_dismissal_ends_every_session_at_once(
        self, people: People, client: httpx.AsyncClient, sql: Sql
    ) -> None:
        target, admin = await people.moderator(), await people.admin()
        assert (await change(admin, target)).json()["roles"] == ["USER"]
        for path in ("/admin/users", "/users/me"):
            reply = await target.get(path)
            assert (reply.status_code, reply.json()["code"]) == (401, "invalid_token")
        body = {"refresh_token": target.refresh_token}
        assert (await client.post("/api/v1/auth/refresh", json=body)).status_code == 401
        login = await client.post("/api/v1/auth/login", json={"email": target.email, "password": PASSWORD})
        assert login.json()["user"]["roles"] == ["USER"]

    async def test_who_sells_goes_on_selling(self, people: People, sql: Sql) -> None:
        target, admin = await people.new(), await people.admin()
        await make_listing(target, sql)
        assert (await change(admin, target, "MODERATOR")).json()["roles"] == ["MODERATOR", "SELLER", "USER"]
        assert (await change(admin, target)).json()["roles"] == ["SELLER", "USER"]

    async def test_nobody_is_made_a_seller(self, people: People, sql: Sql) -> None:
        target, admin = await people.new(), await people.admin()
        reply = await change(admin, target, "SELLER")
        assert (reply.status_code, reply.json()["errors"][0]["code"]) == (422, "by_rule")
        assert await roles(sql, target) == ["USER"]

    async def test_the_same_again_changes_nothing(self, people: People, sql: Sql) -> None:
        target, admin = await people.moderator(), await people.admin()
        version = await sql.value("SELECT version FROM users WHERE id = $1", target.id)
        assert (await change(admin, target, "MODERATOR", "USER")).json()["version"] == version
        assert (await target.get("/admin/users")).status_code == 200
        assert await entries(sql, target) == []

    async def test_a_stale_version(self, people: People, sql: Sql) -> None:
        target, admin = await people.new(), await people.admin()
        stale = await change(admin, target, "ADMIN", headers={"If-Match": '"99"'})
        assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")
        assert await roles(sql, target) == ["USER"]

    @pytest.mark.parametrize("wanted", [["ROOT"], ["admin"], "ADMIN", ["ADMIN"] * 9, None])
    async def test_what_is_no_role(self, people: People, sql: Sql, wanted: object) -> None:
        target, admin = await people.new(), await people.admin()
        reply = await admin.put(f"/admin/users/{target.id}/roles", {"roles": wanted, "reason": REASON})
        assert reply.status_code == 422
        assert await roles(sql, target) == ["USER"]

    async def test_who_does_not_exist(self, people: People) -> None:
        admin = await people.admin()
        body = {"roles": ["ADMIN"], "reason": REASON}
        assert (await admin.put(f"/admin/users/{uuid4()}/roles", body)).status_code == 404


@pytest.fixture
async def only(people: People, sql: Sql) -> AsyncIterator[tuple[Person, Person]]:
    """Two administrators, and no other."""
    before = await sql.rows("SELECT id FROM users WHERE roles @> '{ADMIN}'")
    await sql.execute("UPDATE users SET roles = '{USER}' WHERE roles @> '{ADMIN}'")
    yield await people.admin(), await people.admin()
    await sql.execute("UPDATE users SET roles = '{USER,ADMIN}' WHERE id = ANY($1)", [row["id"] for row in before])


async def standing_admins(sql: Sql) -> int:
    query = "SELECT count(*) FROM users WHERE roles @> '{ADMIN}' AND NOT is_blocked AND deleted_at IS NULL"
    return await sql.value(query)


class TestSomebodyIsLeft:
    async def test_of_two_who_dismiss_each_other_one_stays(self, only: tuple[Person, Person], sql: Sql) -> None:
        one, other = only
        for _ in range(5):
            replies = await asyncio.gather(change(one, other), change(other, one))
            assert sorted(reply.status_code for reply in replies)[0] == 200
            assert sorted(reply.status_code for reply in replies)[1] in (401, 403)
            assert await standing_admins(sql) == 1
            await sql.execute("UPDATE users SET roles = '{USER,ADMIN}' WHERE id = ANY($1)", [one.id, other.id])
            await sql.execute(
                "UPDATE auth_sessions s SET revoked_at = NULL, epoch = u.epoch FROM users u"
                " WHERE u.id = s.user_id AND u.id = ANY($1)",
                [one.id, other.id],
            )

    async def test_of_two_who_block_each_other_one_stays(self, only: tuple[Person, Person], sql: Sql) -> None:
        one, other = only
        reason = {"reason": "They began"}
        replies = await asyncio.gather(
            one.post(f"/admin/users/{other.id}/block", reason), other.post(f"/admin/users/{one.id}/block", reason)
        )
        assert sorted(reply.status_code for reply in replies)[0] == 200
        assert await standing_admins(sql) == 1

    async def test_of_two_who_leave_at_once_one_cannot(self, only: tuple[Person, Person], sql: Sql) -> None:
        replies = await asyncio.gather(*(person.delete("/users/me") for person in only))
        assert sorted(reply.status_code for reply in replies) == [204, 409]
        refused = next(reply for reply in replies if reply.status_code == 409)
        assert refused.json()["code"] == "last_admin"
        assert await standing_admins(sql) == 1

    async def test_a_blocked_administrator_does_not_count(self, only: tuple[Person, Person], sql: Sql) -> None:
        one, other = only
        assert (await one.post(f"/admin/users/{other.id}/block", {"reason": "Stolen phone"})).status_code == 200
        reply = await one.delete("/users/me")
        assert (reply.status_code, reply.json()["code"]) == (409, "last_admin")
        assert await standing_admins(sql) == 1


async def test_whoever_saw_another_version_decides_nothing(people: People, sql: Sql) -> None:
    """An account that changed since is looked at again, whatever is to be done to it."""
    target, admin = await people.new(), await people.admin()
    await target.patch("/users/me", {"name": "Leyla"})
    before = await sql.rows("SELECT * FROM users WHERE id = $1", target.id)
    path, body, stale = f"/admin/users/{target.id}", {"reason": "Fraud"}, {"If-Match": '"1"'}
    for method, where in (("POST", "/block"), ("POST", "/unblock"), ("DELETE", "")):
        reply = await admin.request(method, f"{path}{where}", json=body, headers=stale)
        assert (reply.status_code, reply.json()["code"]) == (412, "stale_version")
    assert await sql.rows("SELECT * FROM users WHERE id = $1", target.id) == before
    tag = (await admin.get(path)).headers["etag"]
    gone = await admin.request("DELETE", path, json=body, headers={"If-Match": tag})
    assert gone.status_code == 200, gone.text
    late = await admin.post(f"{path}/restore", body, headers={"If-Match": tag})
    assert (late.status_code, late.json()["code"]) == (412, "stale_version")
    back = await admin.post(f"{path}/restore", body, headers={"If-Match": gone.headers["etag"]})
    assert (back.status_code, back.json()["deleted_at"]) == (200, None)
