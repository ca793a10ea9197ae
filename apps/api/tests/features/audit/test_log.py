"""The audit log: what it keeps, who reads it, and that nobody rewrites it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import msgspec
import pytest

from memi.audit import service
from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.permissions import Role
from memi.platform.principal import Principal
from memi.platform.runtime import Runtime
from support.people import People, Person
from support.sql import Sql


class Account(msgspec.Struct):
    name: str
    password: str


@dataclass
class Row:
    name: str
    more: dict[str, Any]


def principal(person: Person) -> Principal:
    later = datetime.now(UTC) + timedelta(minutes=5)
    return Principal(UUID(person.id), uuid4(), frozenset({Role.MODERATOR}), later)


class TestRecord:
    async def test_lasts_only_with_the_deed(self, people: People, runtime: Runtime, sql: Sql) -> None:
        actor = principal(await people.moderator())

        async def do_and_fail() -> None:
            async with runtime.unit_of_work() as session:
                await service.record(session, actor, "thing.done", "THING", "undone")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await do_and_fail()
        assert await sql.value("SELECT count(*) FROM audit_log WHERE target_id = 'undone'") == 0

    async def test_never_keeps_secrets(self, people: People, runtime: Runtime, sql: Sql) -> None:
        """By their names, at any depth and in whatever holds them, and nothing else is lost."""
        actor = principal(await people.moderator())
        before = {
            "password_hash": "hunter2",
            "nested": [{"access_token": "hunter2", "name": "kept-1"}, ({"Client-Secret": ["hunter2"]}, "kept-2")],
            "struct": Account("kept-3", "hunter2"),
            "row": Row("kept-4", {"deep": {"recovery_codes": ["hunter2"]}}),
            "otpauth_uri": {"secret": "hunter2"},
            "set": frozenset({"kept-5"}),
            "id": uuid4(),
        }
        async with runtime.unit_of_work() as session:
            await service.record(session, actor, "thing.done", "THING", "secret", before=before, after=before)
        stored = await sql.rows("SELECT before::text, after::text FROM audit_log WHERE target_id = 'secret'")
        for text in stored[0].values():
            assert "hunter2" not in text
            assert [f"kept-{n}" for n in range(1, 6) if f"kept-{n}" not in text] == []
            assert str(before["id"]) in text


class TestAppendOnly:
    @pytest.mark.parametrize("role", ["app", "migrator", "superuser"])
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE audit_log SET reason = 'x'",
            "DELETE FROM audit_log",
            "TRUNCATE audit_log",
            "TRUNCATE audit_log CASCADE",
        ],
    )
    async def test_the_database_refuses(
        self, people: People, runtime: Runtime, database_urls: EmbeddedUrls, role: str, statement: str
    ) -> None:
        actor = principal(await people.moderator())
        async with runtime.unit_of_work() as session:
            await service.record(session, actor, "thing.done", "THING", "kept")
        connection = await asyncpg.connect(getattr(database_urls, role))
        try:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
            await connection.execute("SET session_replication_role = replica") if role == "superuser" else None
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
            assert await connection.fetchval("SELECT count(*) FROM audit_log WHERE target_id = 'kept'") > 0
        finally:
            await connection.close()


class TestRead:
    async def test_who_may(self, people: People, client: httpx.AsyncClient) -> None:
        assert (await client.get("/api/v1/admin/audit")).status_code == 401
        assert (await (await people.new()).get("/admin/audit")).json()["code"] == "permission_denied"
        assert (await (await people.moderator()).get("/admin/audit")).status_code == 200

    async def test_shape_and_filters(self, people: People, runtime: Runtime) -> None:
        moderator = await people.moderator()
        actor, target = principal(moderator), str(uuid4())
        async with runtime.unit_of_work() as session:
            for number in range(3):
                await service.record(
                    session, actor, "thing.done", "THING", target, reason=f"r{number}", after={"number": number}
                )
        by_target = (await moderator.get(f"/admin/audit?target_type=THING&target_id={target}&limit=2")).json()
        who = {"id", "at", "actor_id", "impersonator_id"}
        assert set(by_target["items"][0]) == who | {"action", "target_type", "target_id", "reason", "before", "after"}
        assert [item["after"]["number"] for item in by_target["items"]] == [2, 1]
        assert by_target["items"][0]["at"].endswith("Z")
        rest = (
            await moderator.get(
                f"/admin/audit?target_type=THING&target_id={target}&limit=2&cursor={by_target['next_cursor']}"
            )
        ).json()
        assert [item["after"]["number"] for item in rest["items"]] == [0]
        assert rest["next_cursor"] is None
        mine = (await moderator.get(f"/admin/audit?actor={moderator.id}&action=thing.done")).json()["items"]
        assert len(mine) == 3
        assert (await moderator.get(f"/admin/audit?actor={moderator.id}&action=other")).json()["items"] == []

    @pytest.mark.parametrize("query", ["actor=me", "limit=1000", "who=x", "cursor=AAAA", "action=%27"])
    async def test_bad_queries(self, people: People, query: str) -> None:
        assert (await (await people.moderator()).get(f"/admin/audit?{query}")).status_code == 422
