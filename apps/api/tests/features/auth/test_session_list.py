"""Where one is signed in, and ending it from elsewhere."""

import asyncio
import time
from uuid import UUID, uuid4

import httpx

from memi.auth.policy import SESSIONS_PER_USER
from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from support.people import PASSWORD, People, Person
from support.server import api_processes
from support.sockets import open_socket
from support.sql import Sql


async def sign_in_again(person: Person, user_agent: str = "memi-app/1.0") -> Person:
    body = {"email": person.email, "password": PASSWORD}
    reply = await person.client.post("/api/v1/auth/login", json=body, headers={"User-Agent": user_agent})
    assert reply.status_code == 200, reply.text
    made = reply.json()
    return Person(person.client, person.id, person.email, made["access_token"], made["refresh_token"])


async def sessions(person: Person) -> list[dict[str, object]]:
    return (await person.get("/auth/sessions")).json()["items"]


class TestList:
    async def test_shows_device_address_and_which_one_asks(self, people: People) -> None:
        person = await people.new()
        phone = await sign_in_again(person, "memi-ios/2.1 (iPhone)")
        newest, oldest = await sessions(phone)
        assert (newest["device"], newest["current"], oldest["current"]) == ("memi-ios/2.1 (iPhone)", True, False)
        assert newest["ip"] == "127.0.0.1"
        assert newest["transport"] == "token"
        assert newest["second_factor"] is False
        assert [item["current"] for item in await sessions(person)] == [False, True]

    async def test_pages(self, people: People) -> None:
        person = await people.new()
        for _ in range(2):
            await sign_in_again(person)
        first = (await person.get("/auth/sessions?limit=2")).json()
        second = (await person.get(f"/auth/sessions?limit=2&cursor={first['next_cursor']}")).json()
        assert second["next_cursor"] is None
        assert len({item["id"] for item in first["items"] + second["items"]}) == 3

    async def test_another_collections_cursor_is_refused(self, people: People) -> None:
        reply = await (await people.new()).get("/auth/sessions?cursor=bm90IG9uZQ")
        assert (reply.status_code, reply.json()["code"]) == (422, "invalid_cursor")

    async def test_leaves_out_what_ended(self, people: People, client: httpx.AsyncClient) -> None:
        person = await people.new()
        other = await sign_in_again(person)
        await client.post("/api/v1/auth/logout", json={"refresh_token": other.refresh_token})
        assert len(await sessions(person)) == 1


class TestEnd:
    async def test_ends_it_at_once_and_no_other(self, people: People, client: httpx.AsyncClient) -> None:
        person = await people.new()
        lost = await sign_in_again(person)
        newest = (await sessions(person))[0]
        assert (await person.delete(f"/auth/sessions/{newest['id']}")).status_code == 204
        assert (await lost.patch("/users/me", {"name": "Thief"})).json()["code"] == "invalid_token"
        refreshed = await client.post("/api/v1/auth/refresh", json={"refresh_token": lost.refresh_token})
        assert refreshed.status_code == 401
        me = await person.get("/users/me")
        assert (me.status_code, me.json()["name"]) == (200, "Aysel")

    async def test_twice_is_404(self, people: People) -> None:
        person = await people.new()
        await sign_in_again(person)
        newest = (await sessions(person))[0]
        replies = [await person.delete(f"/auth/sessions/{newest['id']}") for _ in range(2)]
        assert [reply.status_code for reply in replies] == [204, 404]

    async def test_a_strangers_is_404_and_stands(self, people: People) -> None:
        person, stranger = await people.new(), await people.new()
        theirs = (await sessions(person))[0]["id"]
        assert (await stranger.delete(f"/auth/sessions/{theirs}")).status_code == 404
        assert (await stranger.delete(f"/auth/sessions/{uuid4()}")).status_code == 404
        assert (await person.get("/users/me")).status_code == 200

    async def test_logout_all_ends_every_one(self, people: People) -> None:
        person = await people.new()
        other = await sign_in_again(person)
        assert (await person.post("/auth/logout-all")).status_code == 204
        for signed_in in (person, other):
            assert (await signed_in.get("/users/me")).json()["code"] == "invalid_token"

    async def test_sockets_close_within_two_seconds_on_every_process(
        self, people: People, database_urls: EmbeddedUrls, settings: Settings, runtime: Runtime
    ) -> None:
        person = await people.new()
        lost = await sign_in_again(person)
        newest = (await sessions(person))[0]
        async with (
            api_processes(database_urls, settings, 2) as (here, there),
            open_socket(here.socket_url, lost) as first,
            open_socket(there.socket_url, lost) as second,
            open_socket(there.socket_url, person) as kept,
        ):
            started = time.monotonic()
            await person.delete(f"/auth/sessions/{newest['id']}")
            assert [await first.close_code(2), await second.close_code(2)] == [4401, 4401]
            assert time.monotonic() - started < 2
            assert await kept.ack("ping") == {}


class TestLife:
    async def test_a_session_ends_however_often_it_is_refreshed(
        self, people: People, client: httpx.AsyncClient, sql: Sql
    ) -> None:
        person = await people.new()
        body = {"refresh_token": person.refresh_token}
        refreshed = (await client.post("/api/v1/auth/refresh", json=body)).json()
        lives = await sql.rows(
            "SELECT t.expires_at <= s.expires_at AS within, s.expires_at - s.created_at AS life "
            "FROM refresh_tokens t JOIN auth_sessions s ON s.id = t.session_id WHERE s.user_id = $1",
            UUID(person.id),
        )
        assert {row["within"] for row in lives} == {True}
        assert {round(row["life"].total_seconds() / 86_400) for row in lives} == {180}
        await sql.execute("UPDATE auth_sessions SET expires_at = now() WHERE user_id = $1", UUID(person.id))
        late = await client.post("/api/v1/auth/refresh", json={"refresh_token": refreshed["refresh_token"]})
        assert (late.status_code, late.json()["code"]) == (401, "invalid_refresh_token")
        assert (await person.get("/users/me")).json()["code"] == "invalid_token"

    async def test_an_unused_session_ends(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        person = await people.new()
        await sql.execute(
            "UPDATE refresh_tokens SET expires_at = now() "
            "WHERE session_id IN (SELECT id FROM auth_sessions WHERE user_id = $1)",
            UUID(person.id),
        )
        late = await client.post("/api/v1/auth/refresh", json={"refresh_token": person.refresh_token})
        assert late.status_code == 401

    async def test_one_sign_in_too_many_ends_the_one_used_longest_ago(self, people: People, sql: Sql) -> None:
        person = await people.new()
        await sql.execute(
            "INSERT INTO auth_sessions (id, user_id, epoch, expires_at, last_seen_at) "
            "SELECT gen_random_uuid(), $1, 0, now() + interval '1 day', now() - interval '1 hour' "
            "FROM generate_series(1, $2)",
            UUID(person.id),
            SESSIONS_PER_USER - 1,
        )
        await asyncio.gather(*(sign_in_again(person) for _ in range(3)))
        standing = "SELECT count(*) FROM auth_sessions WHERE user_id = $1 AND revoked_at IS NULL"
        assert await sql.value(standing, UUID(person.id)) <= SESSIONS_PER_USER + 2
        await sign_in_again(person)
        assert await sql.value(standing, UUID(person.id)) == SESSIONS_PER_USER
        assert (await person.get("/users/me")).status_code == 200
