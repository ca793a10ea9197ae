"""`Idempotency-Key`: sent again, a request is answered as the first time and has its effect once."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from memi.platform import idempotency_queries, maintenance
from memi.platform.runtime import Runtime
from support.people import People, Person
from support.sql import Sql

DRAFT = {"title": "Wool coat, hardly worn"}


async def post(person: Person, key: str, path: str = "/listings", body: Any = DRAFT) -> httpx.Response:
    return await person.post(path, body, headers={"Idempotency-Key": key})


async def drafts(sql: Sql, person: Person) -> int:
    return await sql.value("SELECT count(*) FROM listings WHERE seller_id = $1", person.id)


class TestRepeated:
    async def test_gets_the_stored_reply_and_no_second_effect(self, people: People, sql: Sql) -> None:
        person, key = await people.new(), uuid4().hex
        first, again = await post(person, key), await post(person, key)
        assert (first.status_code, again.status_code) == (201, 201)
        assert first.content == again.content
        assert first.headers["location"] == again.headers["location"]
        assert first.headers["etag"] == again.headers["etag"]
        assert first.headers["content-type"] == again.headers["content-type"]
        assert "idempotent-replayed" not in first.headers
        assert again.headers["idempotent-replayed"] == "true"
        assert again.headers["x-request-id"] != first.headers["x-request-id"]
        assert await drafts(sql, person) == 1

    async def test_a_reply_without_body_too(self, people: People) -> None:
        person, key = await people.new(), uuid4().hex
        first, again = [await post(person, key, "/notifications/read-all", None) for _ in range(2)]
        assert (first.status_code, again.status_code, again.content) == (204, 204, b"")
        assert again.headers["idempotent-replayed"] == "true"

    async def test_keys_belong_to_their_caller(self, people: People, sql: Sql) -> None:
        one, other, key = await people.new(), await people.new(), uuid4().hex
        first, second = await post(one, key), await post(other, key)
        assert first.json()["id"] != second.json()["id"]
        assert "idempotent-replayed" not in second.headers

    @pytest.mark.parametrize(
        ("path", "body"), [("/listings", {"title": "Another coat"}), ("/listings?x=1", DRAFT), ("/uploads", DRAFT)]
    )
    async def test_with_another_request_is_a_mismatch(self, people: People, sql: Sql, path: str, body: Any) -> None:
        person, key = await people.new(), uuid4().hex
        await post(person, key)
        reply = await post(person, key, path, body)
        if "?" in path:  # refused before the key is looked at
            assert reply.json()["code"] == "validation_failed"
        else:
            assert (reply.status_code, reply.json()["code"]) == (422, "idempotency_mismatch")
        assert await drafts(sql, person) == 1

    async def test_a_refusal_is_repeated_too_and_undid_everything(self, people: People, sql: Sql) -> None:
        person, key = await people.new(), uuid4().hex
        body = {**DRAFT, "publish": True}
        first = await post(person, key, body=body)
        assert first.status_code == 422
        again = await post(person, key, body=body)
        assert again.status_code == 422
        assert again.headers["idempotent-replayed"] == "true"
        assert again.headers["content-type"] == "application/problem+json"
        assert again.json()["errors"] == first.json()["errors"]
        assert await drafts(sql, person) == 0

    async def test_a_moves_refusal_by_the_database_is_undone_to_the_mark(self, people: People, sql: Sql) -> None:
        person, key = await people.new(), uuid4().hex
        body = {**DRAFT, "city": "ATLANTIS"}
        replies = [await post(person, key, body=body) for _ in range(2)]
        assert [reply.status_code for reply in replies] == [422, 422]
        assert replies[1].headers["idempotent-replayed"] == "true"
        assert await drafts(sql, person) == 0

    async def test_is_forgotten_after_a_day(self, people: People, sql: Sql, runtime: Runtime) -> None:
        person, key, recent = await people.new(), uuid4().hex, uuid4().hex
        await post(person, key)
        await post(person, recent)
        await sql.execute(
            "UPDATE idempotency_keys SET created_at = now() - interval '24 hours 1 second' WHERE key = $1", key
        )
        await maintenance.prune_idempotency_keys.run(runtime)
        assert (await post(person, key)).headers.get("idempotent-replayed") is None
        assert (await post(person, recent)).headers.get("idempotent-replayed") == "true"
        assert await drafts(sql, person) == 3


class TestAtOnce:
    async def test_one_of_many_has_its_effect(self, people: People, sql: Sql) -> None:
        person, key = await people.new(), uuid4().hex
        replies = await asyncio.gather(*(post(person, key) for _ in range(8)))
        kinds = {(reply.status_code, reply.json().get("code")) for reply in replies}
        assert kinds <= {(201, None), (409, "idempotency_in_progress")}
        assert len({reply.json()["id"] for reply in replies if reply.status_code == 201}) == 1
        assert await drafts(sql, person) == 1
        assert (await post(person, key)).headers["idempotent-replayed"] == "true"

    async def test_while_the_first_runs_the_second_hears_so(self, people: People, sql: Sql, runtime: Runtime) -> None:
        person, key = await people.new(), uuid4().hex
        async with runtime.unit_of_work() as first:
            assert await idempotency_queries.try_lock(first, person.id, key)  # pyright: ignore[reportArgumentType]
            reply = await post(person, key)
            assert (reply.status_code, reply.json()["code"]) == (409, "idempotency_in_progress")
            assert reply.headers["retry-after"] == "1"
            assert (await post(person, uuid4().hex)).status_code == 201
        assert await drafts(sql, person) == 1

    async def test_after_a_crash_in_the_middle_it_runs_anew(self, people: People, sql: Sql, runtime: Runtime) -> None:
        """A crash lets go of the lock and of what was written; what was not committed never happened."""
        person, key = await people.new(), uuid4().hex
        unit = runtime.unit_of_work.open()
        assert await idempotency_queries.try_lock(unit.session, person.id, key)  # pyright: ignore[reportArgumentType]
        await unit.close()
        reply = await post(person, key)
        assert (reply.status_code, reply.headers.get("idempotent-replayed")) == (201, None)


class TestNever:
    @pytest.mark.parametrize("key", ["", " ", "k" * 256, "é", "a b"])
    async def test_a_malformed_key_is_refused(self, people: People, sql: Sql, key: str) -> None:
        person = await people.new()
        reply = await person.post("/listings", DRAFT, headers={"Idempotency-Key": key.encode()})
        assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, "/Idempotency-Key")
        assert await drafts(sql, person) == 0

    async def test_nothing_under_auth_is_stored(self, people: People, sql: Sql) -> None:
        person, key = await people.new(), uuid4().hex
        await post(person, key, "/auth/logout-all", None)
        assert await sql.value("SELECT count(*) FROM idempotency_keys WHERE user_id = $1", person.id) == 0

    async def test_a_stranger_hears_401_and_stores_nothing(self, client: httpx.AsyncClient, sql: Sql) -> None:
        before = await sql.value("SELECT count(*) FROM idempotency_keys")
        reply = await client.post("/api/v1/listings", json=DRAFT, headers={"Idempotency-Key": uuid4().hex})
        assert reply.status_code == 401
        assert await sql.value("SELECT count(*) FROM idempotency_keys") == before
