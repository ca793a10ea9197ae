"""One deed done to many: each whole or not at all, and each with its own outcome."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from memi.platform.errors import NotFound
from memi.platform.events import publish, take_pending
from memi.platform.runtime import Runtime
from memi.platform.unit_of_work import part_of, poke_after_commit
from support.factors import grow_old
from support.items import make_listing
from support.people import People, Person
from support.sql import Sql

WHY = "One counterfeiter's stock"


def body(action: str, *ids: str) -> dict[str, Any]:
    return {"action": action, "ids": list(ids), "reason": WHY}


async def items(seller: Person, sql: Sql, number: int) -> list[str]:
    return [(await make_listing(seller, sql))["id"] for _ in range(number)]


async def statuses(sql: Sql, ids: list[str]) -> list[str]:
    return [await sql.value("SELECT status FROM listings WHERE id = $1", UUID(item)) for item in ids]


def outcomes(reply: httpx.Response) -> list[tuple[str, str | None]]:
    assert reply.status_code == 200, reply.text
    return [(item["outcome"], item["code"]) for item in reply.json()["items"]]


class TestListings:
    async def test_who_may(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        owner = await people.new()
        ids = await items(owner, sql, 1)
        assert (await client.post("/api/v1/admin/bulk/listings", json=body("REMOVE", *ids))).status_code == 401
        reply = await owner.post("/admin/bulk/listings", body("REMOVE", *ids))
        assert (reply.status_code, reply.json()["code"]) == (403, "permission_denied")
        assert await statuses(sql, ids) == ["ACTIVE"]

    async def test_each_has_its_own_outcome(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        owner, moderator = await people.new(), await people.moderator()
        good, removed, deleted, last = await items(owner, sql, 4)
        await moderator.post(f"/admin/listings/{removed}/remove", {"reason": WHY})
        await owner.delete(f"/listings/{deleted}")
        unknown = str(uuid4())
        asked = [last, removed, unknown, good, deleted]
        reply = await moderator.post("/admin/bulk/listings", body("REMOVE", *asked))
        assert [item["id"] for item in reply.json()["items"]] == asked
        assert outcomes(reply) == [
            ("DONE", None),
            ("REFUSED", "illegal_transition"),
            ("REFUSED", "not_found"),
            ("DONE", None),
            ("REFUSED", "illegal_transition"),
        ]
        assert (reply.json()["done"], reply.json()["refused"]) == (2, 3)
        assert await statuses(sql, [good, removed, deleted, last]) == ["REMOVED", "REMOVED", "DELETED", "REMOVED"]
        for item in (good, last):
            assert (await client.get(f"/api/v1/listings/{item}")).status_code == 404
            (entry,) = await sql.rows("SELECT * FROM audit_log WHERE target_id = $1", item)
            assert (entry["action"], entry["reason"], entry["before"]) == (
                "listing.remove",
                WHY,
                '{"status": "ACTIVE"}',
            )
        assert await sql.value("SELECT count(*) FROM audit_log WHERE target_id = ANY($1)", [unknown, deleted]) == 0

    async def test_restoring_and_flags(self, people: People, sql: Sql) -> None:
        owner, moderator = await people.new(), await people.moderator()
        ids = await items(owner, sql, 3)
        for item in ids[:2]:
            await moderator.post(f"/admin/listings/{item}/flags", {"kind": "SPAM"})
        reply = await moderator.post("/admin/bulk/listings", body("RESOLVE_FLAGS", *ids))
        assert outcomes(reply) == [("DONE", None), ("DONE", None), ("REFUSED", "flag_resolved")]
        assert (await moderator.get(f"/admin/listings?seller={owner.id}&flagged=true")).json()["items"] == []
        await moderator.post("/admin/bulk/listings", body("REMOVE", *ids[:2]))
        reply = await moderator.post("/admin/bulk/listings", body("RESTORE", *ids))
        assert outcomes(reply) == [("DONE", None), ("DONE", None), ("REFUSED", "illegal_transition")]
        assert await statuses(sql, ids) == ["ACTIVE"] * 3

    async def test_what_is_refused_tells_nothing(self, people: People, sql: Sql) -> None:
        """An event of a part that was undone would have its followers act on what never happened."""
        owner, moderator = await people.new(), await people.moderator()
        good, removed = await items(owner, sql, 2)
        await moderator.post(f"/admin/listings/{removed}/remove", {"reason": WHY})
        before = await sql.value("SELECT count(*) FROM search_events WHERE listing_id = $1", UUID(removed))
        jobs = await sql.value(
            "SELECT count(*) FROM pgqueuer WHERE convert_from(payload, 'UTF8') LIKE $1", f"%{removed}%"
        )
        await moderator.post("/admin/bulk/listings", body("REMOVE", removed, good))
        assert await sql.value("SELECT count(*) FROM search_events WHERE listing_id = $1", UUID(removed)) == before
        again = await sql.value(
            "SELECT count(*) FROM pgqueuer WHERE convert_from(payload, 'UTF8') LIKE $1", f"%{removed}%"
        )
        assert again == jobs

    async def test_the_same_many_at_once_in_any_order(self, people: People, sql: Sql) -> None:
        owner, moderators = await people.new(), [await people.moderator() for _ in range(3)]
        ids = await items(owner, sql, 6)
        orders = (ids, ids[::-1], ids[3:] + ids[:3])
        replies = await asyncio.gather(
            *(
                moderator.post("/admin/bulk/listings", body("REMOVE", *order))
                for moderator, order in zip(moderators, orders, strict=True)
            )
        )
        assert sum(reply.json()["done"] for reply in replies) == 6
        assert await statuses(sql, ids) == ["REMOVED"] * 6
        query = "SELECT count(*) FROM audit_log WHERE action = 'listing.remove' AND target_id = ANY($1)"
        assert await sql.value(query, ids) == 6

    async def test_a_failure_that_is_nobodys_refusal_undoes_all(self, people: People, sql: Sql) -> None:
        owner, moderator = await people.new(), await people.moderator()
        ids = sorted(await items(owner, sql, 3))
        await sql.execute(
            "CREATE FUNCTION refuse_one() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;"
            f"CREATE TRIGGER refuse_one BEFORE UPDATE ON listings FOR EACH ROW WHEN (OLD.id = '{ids[2]}')"
            " EXECUTE FUNCTION refuse_one()"
        )
        try:
            reply = await moderator.post("/admin/bulk/listings", body("REMOVE", *ids))
            assert reply.status_code == 500
        finally:
            await sql.execute("DROP TRIGGER refuse_one ON listings; DROP FUNCTION refuse_one()")
        assert await statuses(sql, ids) == ["ACTIVE"] * 3

    async def test_a_hundred_at_once(self, people: People, sql: Sql) -> None:
        owner, moderator = await people.new(), await people.moderator()
        ids = await items(owner, sql, 100)
        reply = await moderator.post("/admin/bulk/listings", body("REMOVE", *ids))
        assert (reply.json()["done"], reply.json()["refused"]) == (100, 0)
        assert set(await statuses(sql, ids)) == {"REMOVED"}

    @pytest.mark.parametrize(
        "asked",
        [
            {"action": "DELETE", "ids": [str(UUID(int=1))], "reason": WHY},
            {"action": "REMOVE", "ids": [], "reason": WHY},
            {"action": "REMOVE", "ids": [str(UUID(int=1))] * 2, "reason": WHY},
            {"action": "REMOVE", "ids": [str(UUID(int=number)) for number in range(101)], "reason": WHY},
            {"action": "REMOVE", "ids": ["x"], "reason": WHY},
            {"action": "REMOVE", "ids": [str(UUID(int=1))]},
        ],
    )
    async def test_what_is_refused_whole(self, people: People, asked: dict[str, Any]) -> None:
        assert (await (await people.moderator()).post("/admin/bulk/listings", asked)).status_code == 422


class TestUsers:
    async def test_blocks_and_unblocks(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        moderator, colleague = await people.moderator(), await people.moderator()
        targets = [await people.new() for _ in range(3)]
        listing = await make_listing(targets[0], sql)
        ids = [person.id for person in targets]
        asked = [*ids, colleague.id, moderator.id]
        reply = await moderator.post("/admin/bulk/users", body("BLOCK", *asked))
        refused = [("REFUSED", "staff_protected"), ("REFUSED", "cannot_block_self")]
        assert outcomes(reply) == [("DONE", None)] * 3 + refused
        for person in targets:
            assert (await person.get("/users/me")).json()["code"] == "invalid_token"
        assert (await client.get(f"/api/v1/listings/{listing['id']}")).status_code == 404
        assert (await colleague.get("/users/me")).status_code == 200
        again = await moderator.post("/admin/bulk/users", body("BLOCK", ids[0]))
        assert outcomes(again) == [("REFUSED", "already_blocked")]
        freed = await moderator.post("/admin/bulk/users", body("UNBLOCK", *ids))
        assert outcomes(freed) == [("DONE", None)] * 3
        assert (await client.get(f"/api/v1/listings/{listing['id']}")).status_code == 200
        query = "SELECT count(*) FROM audit_log WHERE action LIKE 'user.%block' AND target_id = ANY($1)"
        assert await sql.value(query, asked) == 6

    async def test_needs_a_recent_proof(self, people: People, sql: Sql) -> None:
        moderator, target = await people.moderator(), await people.new()
        await grow_old(sql, moderator)
        reply = await moderator.post("/admin/bulk/users", body("BLOCK", target.id))
        assert (reply.status_code, reply.json()["code"]) == (403, "step_up_required")
        assert (await target.get("/users/me")).status_code == 200


async def test_of_a_part_that_is_undone_nothing_is_told(runtime: Runtime) -> None:
    async with runtime.unit_of_work() as session:

        async def part(name: str, *, fails: bool) -> None:
            async with part_of(session):
                publish(session, name)
                poke_after_commit(session, name, "")
                if fails:
                    raise NotFound

        publish(session, "before")
        with pytest.raises(NotFound):
            await part("undone", fails=True)
        await part("done", fails=False)
        assert list(take_pending(session)) == ["before", "done"]
        assert session.info["memi.pokes"] == {("done", ""): None}
