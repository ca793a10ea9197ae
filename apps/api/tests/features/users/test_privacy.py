"""What a person lets others see, and when they were last here."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from memi.platform.runtime import Runtime
from memi.users import service as users
from support.people import People, Person
from support.sql import Sql

EVERYTHING = {"show_city": True, "show_phone": True, "show_last_seen": True, "searchable": True}
NOTHING = dict.fromkeys(EVERYTHING, False)


async def full(people: People, sql: Sql) -> Person:
    """Somebody with everything that can be hidden."""
    person = await people.new()
    await person.patch("/users/me", {"city": "BAKU", "phone": "+994501234567"})
    seen_at = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    await sql.execute("UPDATE users SET last_seen_at = $2 WHERE id = $1", UUID(person.id), seen_at)
    return person


async def choose(person: Person, choices: dict[str, Any]) -> None:
    reply = await person.put("/users/me/privacy", choices)
    assert (reply.status_code, reply.json()) == (200, choices), reply.text


class TestChoices:
    @pytest.mark.parametrize("method", ["GET", "PUT"])
    async def test_anonymous(self, client: httpx.AsyncClient, method: str) -> None:
        reply = await client.request(method, "/api/v1/users/me/privacy", json=EVERYTHING)
        assert (reply.status_code, reply.json()["code"]) == (401, "not_authenticated")

    async def test_to_begin_with_the_phone_is_hidden(self, people: People) -> None:
        reply = await (await people.new()).get("/users/me/privacy")
        assert reply.json() == {**EVERYTHING, "show_phone": False}
        assert (reply.headers["etag"], reply.headers["cache-control"]) == ('"1"', "private, no-store")

    async def test_are_replaced_whole(self, people: People) -> None:
        person = await people.new()
        await choose(person, NOTHING)
        assert (await person.get("/users/me/privacy")).json() == NOTHING
        assert (await person.get("/users/me")).json()["version"] == 2
        await choose(person, NOTHING)
        assert (await person.get("/users/me")).json()["version"] == 2

    async def test_a_part_of_them_is_refused_and_nothing_changes(self, people: People) -> None:
        person = await people.new()
        reply = await person.put("/users/me/privacy", {"show_city": False, "show_phone": "no", "searchable": None})
        assert {item["pointer"] for item in reply.json()["errors"]} == {
            "/show_phone",
            "/show_last_seen",
            "/searchable",
        }
        assert (await person.get("/users/me/privacy")).json() == {**EVERYTHING, "show_phone": False}

    async def test_a_stale_version_is_refused(self, people: People) -> None:
        person = await people.new()
        reply = await person.put("/users/me/privacy", NOTHING, headers={"If-Match": '"9"'})
        assert (reply.status_code, reply.json()["code"]) == (412, "stale_version")
        assert (await person.get("/users/me/privacy")).json() == {**EVERYTHING, "show_phone": False}


class TestProfile:
    async def test_shows_strangers_no_phone(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        person = await full(people, sql)
        await choose(person, EVERYTHING)
        reply = await client.get(f"/api/v1/users/{person.id}")
        shown = reply.json()
        assert (shown["city"], shown["phone"], shown["last_seen_at"]) == ("BAKU", None, "2026-03-04T05:00:00Z")
        assert reply.headers["cache-control"].startswith("public")
        assert "Authorization" in reply.headers["vary"]
        assert "Cookie" in reply.headers["vary"]
        assert "x-robots-tag" not in reply.headers

    async def test_shows_the_phone_to_people_who_are_signed_in(
        self, people: People, sql: Sql, runtime: Runtime
    ) -> None:
        person, viewer = await full(people, sql), await people.new()
        assert (await viewer.get(f"/users/{person.id}")).json()["phone"] is None
        await choose(person, EVERYTHING)
        reply = await viewer.get(f"/users/{person.id}")
        assert reply.json()["phone"] == "+994501234567"
        assert reply.headers["cache-control"] == "private, no-store"
        # Whose session is over is not signed in, whatever their token says.
        async with runtime.unit_of_work() as session:
            await users.block(session, UUID(viewer.id))
        reply = await viewer.get(f"/users/{person.id}")
        assert (reply.status_code, reply.json()["code"]) == (401, "invalid_token")

    async def test_hides_what_is_not_to_be_shown(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        person, viewer = await full(people, sql), await people.new()
        await choose(person, NOTHING)
        for reply in (await client.get(f"/api/v1/users/{person.id}"), await viewer.get(f"/users/{person.id}")):
            shown = reply.json()
            assert (shown["city"], shown["phone"], shown["last_seen_at"]) == (None, None, None)
            assert reply.headers["x-robots-tag"] == "noindex"
        own = (await person.get("/users/me")).json()
        assert (own["city"], own["phone"]) == ("BAKU", "+994501234567")

    async def test_a_block_hides_phone_and_time_from_both(self, people: People, sql: Sql) -> None:
        one, other = await full(people, sql), await full(people, sql)
        for person in (one, other):
            await choose(person, EVERYTHING)
        await one.put(f"/users/me/blocks/{other.id}")
        for viewer, person in ((one, other), (other, one)):
            shown = (await viewer.get(f"/users/{person.id}")).json()
            assert (shown["city"], shown["phone"], shown["last_seen_at"]) == ("BAKU", None, None)

    async def test_is_read_again_only_when_it_changed(self, people: People, client: httpx.AsyncClient) -> None:
        person = await people.new()
        first = await client.get(f"/api/v1/users/{person.id}")
        same = await client.get(f"/api/v1/users/{person.id}", headers={"If-None-Match": first.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")
        await choose(person, NOTHING)
        changed = await client.get(f"/api/v1/users/{person.id}", headers={"If-None-Match": first.headers["etag"]})
        assert changed.status_code == 200

    async def test_what_is_hidden_is_found_nowhere_else(
        self, people: People, client: httpx.AsyncClient, sql: Sql
    ) -> None:
        """The one search there is reads no names of sellers."""
        person = await people.new("Xanımzadə")
        await choose(person, NOTHING)
        found = (await client.get("/api/v1/listings?q=Xanımzadə")).json()
        assert found["items"] == []


class TestLastSeen:
    async def seen(self, sql: Sql, person: Person) -> datetime | None:
        return await sql.value("SELECT last_seen_at FROM users WHERE id = $1", UUID(person.id))

    async def test_is_written_every_five_minutes_at_most(self, people: People, runtime: Runtime, sql: Sql) -> None:
        person = await people.new()
        await sql.execute("UPDATE users SET last_seen_at = NULL WHERE id = $1", UUID(person.id))
        async with runtime.unit_of_work() as session:
            await users.saw(session, UUID(person.id))
        first = await self.seen(sql, person)
        assert first is not None
        for minutes, moves in ((4, False), (6, True)):
            earlier = first - timedelta(minutes=minutes)
            await sql.execute("UPDATE users SET last_seen_at = $2 WHERE id = $1", UUID(person.id), earlier)
            async with runtime.unit_of_work() as session:
                await users.saw(session, UUID(person.id))
            assert (await self.seen(sql, person) != earlier) is moves
        assert (await person.get("/users/me")).json()["version"] == 1

    async def test_waits_for_nobody(self, people: People, runtime: Runtime, sql: Sql) -> None:
        person = await people.new()
        await sql.execute("UPDATE users SET last_seen_at = NULL WHERE id = $1", UUID(person.id))
        async with sql.connection.transaction():
            await sql.execute("SELECT FROM users WHERE id = $1 FOR UPDATE", UUID(person.id))
            async with asyncio.timeout(2), runtime.unit_of_work() as session:
                await users.saw(session, UUID(person.id))
        assert await self.seen(sql, person) is None

    async def test_signing_in_and_staying_signed_in_is_being_here(
        self, people: People, client: httpx.AsyncClient, sql: Sql
    ) -> None:
        person = await people.new()
        assert await self.seen(sql, person) is not None
        long_ago = datetime(2026, 3, 4, tzinfo=UTC)
        await sql.execute("UPDATE users SET last_seen_at = $2 WHERE id = $1", UUID(person.id), long_ago)
        body = {"refresh_token": person.refresh_token}
        assert (await client.post("/api/v1/auth/refresh", json=body)).status_code == 200
        seen = await self.seen(sql, person)
        assert seen is not None
        assert seen > long_ago
