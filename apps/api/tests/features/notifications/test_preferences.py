"""What people want to hear of, and by which ways."""

import asyncio
import copy
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from sqlalchemy import event

from features.notifications.test_live import of, socket, until
from memi.notifications import service
from memi.platform.ids import new_id
from memi.platform.runtime import Runtime
from support.news import Newsroom
from support.people import People
from support.sql import Sql

PATH = "/notifications/preferences"
QUIET = {"from": "22:00", "to": "08:00", "time_zone": "Asia/Baku"}
ALWAYS_QUIET = {"from": "00:00", "to": "23:59", "time_zone": "UTC"}


async def kept(sql: Sql, person_id: str) -> int:
    return await sql.value("SELECT count(*) FROM notification_preferences WHERE user_id = $1", UUID(person_id))


class TestTable:
    async def test_anonymous(self, client: httpx.AsyncClient) -> None:
        assert (await client.get(f"/api/v1{PATH}")).status_code == 401
        assert (await client.put(f"/api/v1{PATH}", json={})).status_code == 401

    async def test_what_somebody_waits_for_is_mailed_unless_they_say_otherwise(self, people: People) -> None:
        table = (await (await people.new()).get(PATH)).json()
        assert {name for name, ways in table["types"].items() if ways["email"]} == {
            "MESSAGE", "RESERVATION", "ORDER", "MODERATION",
        }  # fmt: skip
        assert all(ways["in_app"] and ways["push"] for ways in table["types"].values())
        assert (table["quiet_hours"], table["digest"]) == (None, "off")

    async def test_the_whole_table_goes_in_and_comes_out(self, people: People, sql: Sql) -> None:
        person, other = await people.new(), await people.new()
        table = (await person.get(PATH)).json()
        untouched = copy.deepcopy(table)
        table["types"]["MESSAGE"]["email"] = False
        table["types"]["LISTING"] = {"in_app": False, "push": False, "email": True}
        table.update(quiet_hours=QUIET, digest="daily")
        assert (await person.put(PATH, table)).json() == table
        assert (await person.get(PATH)).json() == table
        assert await kept(sql, person.id) == 4, "only what is not the default is stored"
        assert (await other.get(PATH)).json() == untouched
        assert (await person.put(PATH, untouched)).json() == untouched
        assert await kept(sql, person.id) == 0
        assert await sql.value("SELECT count(*) FROM notification_settings WHERE user_id = $1", UUID(person.id)) == 0

    @pytest.mark.parametrize(
        ("where", "value", "pointer"),
        [
            (("types", "MODERATION", "in_app"), False, "/types/MODERATION/in_app"),
            (("types", "MESSAGE", "email"), "perhaps", "/types/MESSAGE/email"),
            (("types", "MESSAGE", "smoke"), True, "/types/MESSAGE/smoke"),
            (("quiet_hours",), {**QUIET, "time_zone": "Mars/Olympus"}, "/quiet_hours/time_zone"),
            (("quiet_hours",), {**QUIET, "from": "24:00"}, "/quiet_hours/from"),
            (("quiet_hours",), {**QUIET, "from": "08:00"}, "/quiet_hours"),
            (("digest",), "hourly", "/digest"),
        ],
    )
    async def test_what_makes_no_sense_is_refused_and_changes_nothing(
        self, people: People, where: tuple[str, ...], value: Any, pointer: str
    ) -> None:
        person = await people.new()
        before = (await person.get(PATH)).json()
        table = copy.deepcopy(before)
        inner = table
        for name in where[:-1]:
            inner = inner[name]
        inner[where[-1]] = value
        reply = await person.put(PATH, table)
        assert reply.status_code == 422
        assert [item["pointer"] for item in reply.json()["errors"]] == [pointer]
        assert (await person.get(PATH)).json() == before

    async def test_a_part_of_the_table_is_refused(self, people: People) -> None:
        person = await people.new()
        table = (await person.get(PATH)).json()
        del table["types"]["ORDER"], table["digest"]
        reply = await person.put(PATH, table)
        assert {item["pointer"] for item in reply.json()["errors"]} == {"/types/ORDER", "/digest"}

    async def test_of_many_tables_at_once_one_is_kept_whole(self, people: People) -> None:
        person = await people.new()
        tables: list[dict[str, Any]] = []
        for name in ("MESSAGE", "ORDER", "LISTING", "GENERIC"):
            table = (await person.get(PATH)).json()
            table["types"][name] = {"in_app": False, "push": False, "email": False}
            table["digest"] = "daily"
            tables.append(table)
        replies = await asyncio.gather(*(person.put(PATH, table) for table in tables * 5))
        assert {reply.status_code for reply in replies} == {200}
        assert (await person.get(PATH)).json() in tables

    async def test_the_database_keeps_moderation_told(self, people: People, sql: Sql) -> None:
        with pytest.raises(asyncpg.CheckViolationError):
            await sql.execute(
                "INSERT INTO notification_preferences VALUES ($1, 'MODERATION', 'in_app', false)",
                UUID((await people.new()).id),
            )


class TestTelling:
    async def test_what_is_off_in_the_application_is_neither_listed_nor_counted_nor_marked(
        self, people: People, news: Newsroom, sql: Sql
    ) -> None:
        person = await people.new()
        await news.prefer(person, ORDER={"in_app": False})
        assert await news.tell(person, "ORDER", "order.created", key="a")
        assert not await news.tell(person, "ORDER", "order.created", key="a")
        assert (await person.get("/notifications")).json()["items"] == []
        assert (await person.get("/notifications/unread-count")).json()["count"] == 0
        hidden = await sql.value("SELECT id FROM notifications WHERE user_id = $1", UUID(person.id))
        assert (await person.post(f"/notifications/{hidden}/read")).status_code == 404

    async def test_what_is_off_everywhere_leaves_no_row(self, people: People, news: Newsroom, sql: Sql) -> None:
        person = await people.new()
        await news.prefer(person, ORDER={"in_app": False, "push": False, "email": False})
        assert not await news.tell(person, "ORDER", "order.created")
        assert await sql.value("SELECT count(*) FROM notifications WHERE user_id = $1", UUID(person.id)) == 0

    async def test_sockets_hear_neither_what_is_off_nor_anything_in_quiet_hours(
        self, client: httpx.AsyncClient, people: People, news: Newsroom, runtime: Runtime
    ) -> None:
        person, quiet = await people.new(), await people.new()
        await news.prefer(person, GENERIC={"push": False})
        await news.prefer(quiet, quiet_hours=ALWAYS_QUIET)
        async with socket(runtime, person) as frames, socket(runtime, quiet) as silence:
            await news.tell(quiet, "ORDER", "order.paid")
            await news.tell(person, "GENERIC", "test.told")
            await news.tell(person, "ORDER", "order.paid")
            await until(lambda: bool(of(frames, "notification.created")))
            await asyncio.sleep(0.5)
            assert [frame["data"]["event"] for frame in of(frames, "notification.created")] == ["order.paid"]
            assert of(silence, "notification.created") == []
        assert (await quiet.get("/notifications/unread-count")).json()["count"] == 1

    async def test_telling_many_is_one_statement_whatever_each_prefers(
        self, news: Newsroom, runtime: Runtime, sql: Sql
    ) -> None:
        fans = await news.reader(60)
        await news.prefer(fans[0], LISTING={"email": True})
        await news.prefer(fans[1], LISTING={"in_app": False, "push": False})
        await news.prefer(fans[2], digest="daily")
        statements: list[str] = []

        def note(*arguments: Any) -> None:
            statements.append(arguments[2])

        async with runtime.unit_of_work() as session:
            connection: Any = await session.connection()
            event.listen(connection.sync_connection, "before_cursor_execute", note)
            told = await service.notify_many(
                session,
                [UUID(fan.id) for fan in fans],
                "LISTING",
                "listing.sold",
                data={"listing_id": str(new_id())},
                dedupe_key=str(uuid4()),
            )
        assert len(statements) == 1
        assert len(told) == 59, "all but who wants to hear of it in no way"
        rows = await sql.rows(
            "SELECT user_id::text, kind FROM notification_mails WHERE user_id = ANY($1::uuid[])",
            [UUID(fan.id) for fan in fans],
        )
        assert {row["user_id"]: row["kind"] for row in rows} == {fans[0].id: "single", fans[2].id: "digest"}


QUIET_CASES = [
    ("22:00", "08:00", "2026-11-21 17:59+00", None),
    ("22:00", "08:00", "2026-11-21 18:00+00", "2026-11-22 04:00+00"),
    ("22:00", "08:00", "2026-11-22 03:59+00", "2026-11-22 04:00+00"),
    ("22:00", "08:00", "2026-11-22 04:00+00", None),
    ("13:00", "15:00", "2026-11-22 09:30+00", "2026-11-22 11:00+00"),
    ("13:00", "15:00", "2026-11-22 11:00+00", None),
]


@pytest.mark.parametrize(("begins", "ends", "at", "until_"), QUIET_CASES)
async def test_quiet_hours_end_by_the_clock_of_their_zone(
    sql: Sql, begins: str, ends: str, at: str, until_: str | None
) -> None:
    found = await sql.value(
        "SELECT quiet_until($1::text::time, $2::text::time, 'Asia/Baku', $3::text::timestamptz) "
        "IS NOT DISTINCT FROM $4::text::timestamptz",
        begins, ends, at, until_,
    )  # fmt: skip
    assert found
