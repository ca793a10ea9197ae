"""One's own account and public profiles."""

from uuid import UUID, uuid4

import httpx
import pytest

from memi.platform.runtime import Runtime
from memi.users import service as users
from support.people import PASSWORD, People
from support.sql import Sql


class TestReadMe:
    async def test_anonymous(self, client: httpx.AsyncClient) -> None:
        reply = await client.get("/api/v1/users/me")
        assert (reply.status_code, reply.json()["code"]) == (401, "not_authenticated")
        assert reply.headers["www-authenticate"] == "Bearer"

    @pytest.mark.parametrize("header", ["Bearer nonsense", "Bearer a.b.c", "Basic dXNlcjpwYXNz", "Bearer"])
    async def test_a_token_that_is_none(self, client: httpx.AsyncClient, header: str) -> None:
        reply = await client.get("/api/v1/users/me", headers={"Authorization": header})
        assert reply.status_code == 401

    async def test_owner(self, people: People) -> None:
        person = await people.new("Günay")
        reply = await person.get("/users/me")
        assert reply.status_code == 200
        assert reply.headers["etag"] == '"1"'
        assert reply.headers["cache-control"] == "private, no-store"
        assert reply.json() == person.profile


class TestUpdateMe:
    async def test_a_merge_patch_changes_what_it_names(self, people: People) -> None:
        person = await people.new()
        reply = await person.patch("/users/me", {"bio": "Vintage only", "city": "baku", "phone": "+994501234567"})
        assert reply.status_code == 200
        changed = reply.json()
        assert (changed["bio"], changed["city"], changed["phone"]) == ("Vintage only", "BAKU", "+994501234567")
        assert changed["name"] == person.profile["name"]
        assert changed["version"] == 2
        cleared = (await person.patch("/users/me", {"bio": None})).json()
        assert cleared["bio"] is None
        assert cleared["city"] == "BAKU"

    async def test_an_empty_patch_changes_nothing(self, people: People) -> None:
        person = await people.new()
        assert (await person.patch("/users/me", {})).json()["version"] == 1

    async def test_a_stale_version_is_refused(self, people: People) -> None:
        person = await people.new()
        first = await person.patch("/users/me", {"bio": "one"}, headers={"If-Match": '"1"'})
        assert first.headers["etag"] == '"2"'
        stale = await person.patch("/users/me", {"bio": "two"}, headers={"If-Match": '"1"'})
        assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")
        assert (await person.get("/users/me")).json()["bio"] == "one"

    @pytest.mark.parametrize("tag", ["", "one", b"\xb2", "9" * 5000, "-1"])
    async def test_a_tag_that_nothing_here_has_is_stale(self, people: People, tag: str | bytes) -> None:
        person = await people.new()
        reply = await person.patch("/users/me", {"bio": "two"}, headers={"If-Match": tag})
        assert (reply.status_code, reply.json()["code"]) == (412, "stale_version")
        assert (await person.get("/users/me")).json()["bio"] is None

    async def test_every_wrong_field_is_named_and_nothing_changes(self, people: People) -> None:
        person = await people.new()
        body = {"name": "", "phone": "call me", "locale": "fr", "roles": ["ADMIN"], "bio": "x" * 1001}
        reply = await person.patch("/users/me", body)
        assert reply.status_code == 422
        assert {item["pointer"] for item in reply.json()["errors"]} == {"/name", "/phone", "/locale", "/roles", "/bio"}
        nulls = await person.patch("/users/me", {"name": None})
        assert nulls.json()["errors"][0] == {
            "pointer": "/name",
            "code": "required",
            "message": "This field cannot be empty.",
        }
        assert (await person.get("/users/me")).json() == person.profile

    @pytest.mark.parametrize("name", ["Aysel\nModerator", "Aysel\r\nModerator", "Ay\tsel", "\u200b\u200b", "a\u2028b"])
    async def test_a_name_is_one_line_that_can_be_seen(self, people: People, name: str) -> None:
        person = await people.new()
        reply = await person.patch("/users/me", {"name": name})
        assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, "/name")
        assert reply.json()["errors"][0]["code"] == "bad_format"
        assert (await person.get("/users/me")).json()["name"] == "Aysel"
        made = {"email": f"x{person.email}", "password": PASSWORD, "name": name}
        assert (await person.client.post("/api/v1/auth/register", json=made)).status_code == 422

    @pytest.mark.parametrize("name", ["Л", "Əli Ömər-oğlu", "🌸", "Shop 24/7"])
    async def test_any_name_that_can_be_seen_will_do(self, people: People, name: str) -> None:
        person = await people.new()
        reply = await person.patch("/users/me", {"name": name})
        assert (reply.status_code, reply.json()["name"]) == (200, name)

    async def test_an_unknown_city(self, people: People) -> None:
        person = await people.new()
        reply = await person.patch("/users/me", {"city": "ATLANTIS", "bio": "moved"})
        assert reply.json()["errors"][0]["pointer"] == "/city"
        assert (await person.get("/users/me")).json()["bio"] is None

    async def test_anonymous(self, client: httpx.AsyncClient) -> None:
        assert (await client.patch("/api/v1/users/me", json={"bio": "x"})).status_code == 401


class TestPublicProfile:
    async def test_shows_no_private_field(self, people: People, client: httpx.AsyncClient) -> None:
        person = await people.new("Kamran")
        reply = await client.get(f"/api/v1/users/{person.id}")
        assert reply.status_code == 200
        shown = reply.json()
        assert (shown["name"], shown["active_listing_count"], shown["sold_count"]) == ("Kamran", 0, 0)
        assert not {"email", "roles", "password_hash", "locale"} & set(shown)
        assert shown["phone"] is None

    async def test_blocked_deleted_and_unknown_look_alike(
        self, people: People, client: httpx.AsyncClient, runtime: Runtime, sql: Sql
    ) -> None:
        blocked, deleted = await people.new(), await people.new()
        async with runtime.unit_of_work() as session:
            await users.block(session, UUID(blocked.id))
        await sql.execute("UPDATE users SET deleted_at = now() WHERE id = $1", UUID(deleted.id))
        for user_id in (blocked.id, deleted.id, uuid4()):
            reply = await client.get(f"/api/v1/users/{user_id}")
            assert (reply.status_code, reply.json()["code"]) == (404, "not_found")

    async def test_an_id_that_is_none(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/api/v1/users/not-a-uuid")).status_code == 404


class TestBlocked:
    async def test_their_token_is_dead_at_once_and_login_says_so(
        self, people: People, client: httpx.AsyncClient, runtime: Runtime
    ) -> None:
        person = await people.new()
        async with runtime.unit_of_work() as session:
            await users.block(session, UUID(person.id))
        assert (await person.get("/users/me")).json()["code"] == "invalid_token"
        refreshed = await client.post("/api/v1/auth/refresh", json={"refresh_token": person.refresh_token})
        assert refreshed.status_code == 401
