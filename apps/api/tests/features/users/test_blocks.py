"""Whom one has blocked: one's own list, idempotent, bounded."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from memi.platform.runtime import Runtime
from memi.users import service as users
from memi.users.blocks import MAX_BLOCKS
from support.people import People, Person
from support.sql import Sql


async def blocked(person: Person) -> list[str]:
    return [item["id"] for item in (await person.get("/users/me/blocks?limit=100")).json()["items"]]


async def everyones(sql: Sql) -> list[dict[str, Any]]:
    return await sql.rows("SELECT * FROM user_blocks ORDER BY blocker_id, blocked_id")


class TestWhoMayNot:
    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
    async def test_anonymous(self, people: People, client: httpx.AsyncClient, sql: Sql, method: str) -> None:
        path = "" if method == "GET" else f"/{(await people.new()).id}"
        before = await everyones(sql)
        reply = await client.request(method, f"/api/v1/users/me/blocks{path}")
        assert (reply.status_code, reply.json()["code"]) == (401, "not_authenticated")
        assert await everyones(sql) == before

    async def test_nobody_sees_or_lifts_another_s_block(self, people: People) -> None:
        one, other, stranger = await people.new(), await people.new(), await people.moderator()
        await one.put(f"/users/me/blocks/{other.id}")
        for person in (other, stranger):
            assert await blocked(person) == []
            for user_id in (one.id, other.id):
                if user_id != person.id:
                    assert (await person.delete(f"/users/me/blocks/{user_id}")).status_code == 204
        assert await blocked(one) == [other.id]


class TestBlocking:
    async def test_is_idempotent_both_ways(self, people: People) -> None:
        one, other = await people.new(), await people.new("Murad")
        for _ in range(2):
            assert (await one.put(f"/users/me/blocks/{other.id}")).status_code == 204
        (item,) = (await one.get("/users/me/blocks")).json()["items"]
        assert (item["id"], item["name"], item["avatar_url"]) == (other.id, "Murad", None)
        for _ in range(2):
            assert (await one.delete(f"/users/me/blocks/{other.id}")).status_code == 204
        assert await blocked(one) == []

    async def test_oneself_is_refused(self, people: People) -> None:
        person = await people.new()
        for method in ("PUT", "DELETE"):
            reply = await person.request(method, f"/users/me/blocks/{person.id}")
            assert reply.status_code == 422
            assert [(item["pointer"], item["code"]) for item in reply.json()["errors"]] == [("/user_id", "oneself")]
        assert await blocked(person) == []

    async def test_unknown_and_invisible_people_look_alike(self, people: People, runtime: Runtime) -> None:
        person, banned = await people.new(), await people.new()
        async with runtime.unit_of_work() as session:
            await users.block(session, UUID(banned.id))
        for user_id in (banned.id, uuid4()):
            for method in ("PUT", "DELETE"):
                reply = await person.request(method, f"/users/me/blocks/{user_id}")
                assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
        assert await blocked(person) == []

    async def test_one_made_before_can_be_confirmed_and_lifted_when_they_are_gone(
        self, people: People, runtime: Runtime
    ) -> None:
        person, banned = await people.new(), await people.new()
        await person.put(f"/users/me/blocks/{banned.id}")
        async with runtime.unit_of_work() as session:
            await users.block(session, UUID(banned.id))
        assert (await person.put(f"/users/me/blocks/{banned.id}")).status_code == 204
        assert (await person.delete(f"/users/me/blocks/{banned.id}")).status_code == 204
        assert await blocked(person) == []

    async def test_two_who_block_each_other_at_once_both_do(self, people: People, sql: Sql) -> None:
        for _ in range(5):
            one, other = await people.new(), await people.new()
            replies = await asyncio.gather(
                *(one.put(f"/users/me/blocks/{other.id}") for _ in range(4)),
                *(other.put(f"/users/me/blocks/{one.id}") for _ in range(4)),
            )
            assert {reply.status_code for reply in replies} == {204}
            assert (await blocked(one), await blocked(other)) == ([other.id], [one.id])

    async def test_there_is_an_end_however_many_come_at_once(self, people: People, sql: Sql) -> None:
        person = await people.new()
        rows = """
            WITH made AS (
                INSERT INTO users (id, email, name) SELECT gen_random_uuid(), 'many' || n || '@example.com', 'Many'
                FROM generate_series(1, $2::int) AS n RETURNING id
            )
            INSERT INTO user_blocks (blocker_id, blocked_id) SELECT $1, id FROM made
        """
        await sql.execute(rows, UUID(person.id), MAX_BLOCKS - 2)
        others = [await people.new() for _ in range(5)]
        replies = await asyncio.gather(*(person.put(f"/users/me/blocks/{other.id}") for other in others))
        assert Counter(reply.status_code for reply in replies) == {204: 2, 409: 3}
        assert {reply.json()["code"] for reply in replies if reply.status_code == 409} == {"too_many_blocks"}
        count = "SELECT count(*) FROM user_blocks WHERE blocker_id = $1"
        assert await sql.value(count, UUID(person.id)) == MAX_BLOCKS


class TestListing:
    async def test_pages_neither_skip_nor_repeat(self, people: People) -> None:
        person = await people.new()
        made = [(await people.new()).id for _ in range(5)]
        for user_id in made:
            await person.put(f"/users/me/blocks/{user_id}")
        seen: list[str] = []
        cursor = ""
        for size in (2, 2, 1):
            page = (await person.get(f"/users/me/blocks?limit=2{cursor}")).json()
            seen += [item["id"] for item in page["items"]]
            assert len(page["items"]) == size
            cursor = f"&cursor={page['next_cursor']}"
        assert (seen, page["next_cursor"]) == (made[::-1], None)
        stranger = await people.new()
        first = (await person.get("/users/me/blocks?limit=1")).json()["next_cursor"]
        for who, value in ((stranger, first), (person, "nonsense")):
            reply = await who.get(f"/users/me/blocks?cursor={value}")
            assert (reply.status_code, reply.json()["code"]) == (422, "invalid_cursor")
