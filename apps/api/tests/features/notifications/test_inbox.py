"""One's notifications: read, count, mark."""

from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from memi.notifications import service
from memi.platform.runtime import Runtime
from support.people import People, Person
from support.sql import Sql


async def tell(runtime: Runtime, person: Person, count: int = 1) -> None:
    async with runtime.unit_of_work() as session:
        for number in range(count):
            await service.notify(
                session, UUID(person.id), "GENERIC", "test.told", {"number": number}, f"test:{uuid4()}"
            )


class TestNotify:
    async def test_the_same_thing_is_told_once(self, people: People, runtime: Runtime) -> None:
        person = await people.new()
        for _ in range(2):
            async with runtime.unit_of_work() as session:
                await service.notify(session, UUID(person.id), "GENERIC", "test.told", {}, "the-event")
        assert len((await person.get("/notifications")).json()["items"]) == 1

    async def test_the_same_thing_is_told_to_each_person(self, people: People, runtime: Runtime) -> None:
        one, other = await people.new(), await people.new()
        ids = [UUID(one.id), UUID(other.id)]
        async with runtime.unit_of_work() as session:
            told = await service.notify_many(session, ids, "GENERIC", "test.told", data={}, dedupe_key="k")
            assert sorted(told) == sorted(ids)
            again = await service.notify_many(session, ids, "GENERIC", "test.told", data={}, dedupe_key="k")
            assert again == []
        for person in (one, other):
            assert (await person.get("/notifications/unread-count")).json() == {"count": 1, "more": False}

    async def test_what_is_rolled_back_was_never_told(self, people: People, runtime: Runtime) -> None:
        person = await people.new()

        async def fail_after_telling() -> None:
            async with runtime.unit_of_work() as session:
                await service.notify(session, UUID(person.id), "GENERIC", "test.told", {}, "never")
                raise RuntimeError

        with pytest.raises(RuntimeError):
            await fail_after_telling()
        assert (await person.get("/notifications")).json()["items"] == []


class TestList:
    async def test_anonymous(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/api/v1/notifications")).status_code == 401

    async def test_newest_first_in_pages_that_neither_skip_nor_repeat(self, people: People, runtime: Runtime) -> None:
        person, stranger = await people.new(), await people.new()
        await tell(runtime, person, 5)
        await tell(runtime, stranger, 2)
        seen: list[int] = []
        cursor = ""
        while True:
            reply = await person.get(f"/notifications?limit=2{cursor}")
            assert reply.status_code == 200, reply.text
            page = reply.json()
            seen += [item["data"]["number"] for item in page["items"]]
            await tell(runtime, person)
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert seen == [4, 3, 2, 1, 0]
        assert set(page["items"][0]) == {"id", "type", "event", "data", "read_at", "created_at"}

    async def test_a_cursor_is_of_one_person_and_one_filter(self, people: People, runtime: Runtime) -> None:
        person, stranger = await people.new(), await people.new()
        await tell(runtime, person, 2)
        cursor = (await person.get("/notifications?limit=1")).json()["next_cursor"]
        for bad in (
            await stranger.get(f"/notifications?cursor={cursor}"),
            await person.get(f"/notifications?unread=true&cursor={cursor}"),
            await person.get("/notifications?cursor=nonsense"),
        ):
            assert (bad.status_code, bad.json()["code"]) == (422, "invalid_cursor")

    async def test_wrong_parameters_are_named(self, people: People) -> None:
        reply = await (await people.new()).get("/notifications?limit=0&unread=perhaps&colour=red")
        assert reply.status_code == 422
        assert {item["pointer"] for item in reply.json()["errors"]} == {"/limit", "/unread", "/colour"}

    async def test_unread_only(self, people: People, runtime: Runtime) -> None:
        person = await people.new()
        await tell(runtime, person, 3)
        newest = (await person.get("/notifications")).json()["items"][0]
        assert (await person.post(f"/notifications/{newest['id']}/read")).status_code == 204
        unread = (await person.get("/notifications?unread=true")).json()["items"]
        assert [item["data"]["number"] for item in unread] == [1, 0]


class TestUnreadCount:
    async def test_anonymous(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/api/v1/notifications/unread-count")).status_code == 401

    async def test_is_bounded(self, people: People, runtime: Runtime) -> None:
        person = await people.new()
        await tell(runtime, person, 100)
        assert (await person.get("/notifications/unread-count")).json() == {"count": 100, "more": False}
        await tell(runtime, person, 1)
        assert (await person.get("/notifications/unread-count")).json() == {"count": 100, "more": True}


class TestRead:
    async def test_anonymous_and_stranger_change_nothing(
        self, client: httpx.AsyncClient, people: People, runtime: Runtime, sql: Sql
    ) -> None:
        person, stranger = await people.new(), await people.new()
        await tell(runtime, person)
        one = (await person.get("/notifications")).json()["items"][0]["id"]
        assert (await client.post(f"/api/v1/notifications/{one}/read")).status_code == 401
        assert (await stranger.post(f"/notifications/{one}/read")).status_code == 404
        assert (await stranger.post("/notifications/read-all")).status_code == 204
        assert await sql.value("SELECT read_at FROM notifications WHERE id = $1", UUID(one)) is None

    async def test_an_unknown_one_is_404(self, people: People) -> None:
        assert (await (await people.new()).post(f"/notifications/{uuid4()}/read")).status_code == 404

    async def test_reading_again_keeps_the_first_time(self, people: People, runtime: Runtime) -> None:
        person = await people.new()
        await tell(runtime, person)
        one = (await person.get("/notifications")).json()["items"][0]["id"]
        times: list[str] = []
        for _ in range(2):
            assert (await person.post(f"/notifications/{one}/read")).status_code == 204
            times.append((await person.get("/notifications")).json()["items"][0]["read_at"])
        assert times[0] is not None
        assert times[0] == times[1]

    async def test_read_all(self, client: httpx.AsyncClient, people: People, runtime: Runtime) -> None:
        person, other = await people.new(), await people.new()
        await tell(runtime, person, 3)
        await tell(runtime, other)
        assert (await client.post("/api/v1/notifications/read-all")).status_code == 401
        assert (await person.post("/notifications/read-all")).status_code == 204
        assert (await person.get("/notifications/unread-count")).json()["count"] == 0
        assert (await other.get("/notifications/unread-count")).json()["count"] == 1


async def test_what_was_told_is_never_reworded(people: People, runtime: Runtime, sql: Sql) -> None:
    person = await people.new()
    await tell(runtime, person)
    with pytest.raises(asyncpg.CheckViolationError):
        await sql.execute("UPDATE notifications SET event = 'other' WHERE user_id = $1", UUID(person.id))
