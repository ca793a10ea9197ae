"""Rebuilding the read model while it is read."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest

from memi.platform.runtime import Runtime
from memi.search import replay_jobs, replaying
from memi.search.replay_jobs import prune_replays, resume_replays
from support.items import make_listing
from support.people import People, Person
from support.sql import Sql

RunJobs = Callable[[], Awaitable[None]]


async def card(sql: Sql, listing: str) -> dict[str, object] | None:
    found = await sql.rows(
        "SELECT version, status, visible, browsable, tags, card FROM listing_cards WHERE listing_id = $1", UUID(listing)
    )
    return found[0] if found else None


async def cards(sql: Sql) -> list[dict[str, object]]:
    query = "SELECT to_jsonb(c) - 'ctid' AS row FROM listing_cards c ORDER BY listing_id"
    return await sql.rows(query)


async def replay(admin: Person, **body: object) -> dict[str, object]:
    reply = await admin.post("/search/index/replay", body)
    assert reply.status_code == 202, reply.text
    assert reply.headers["location"] == f"/api/v1/search/index/replay/{reply.json()['id']}"
    return reply.json()


async def progress(admin: Person, replay_id: object) -> dict[str, object]:
    reply = await admin.get(f"/search/index/replay/{replay_id}")
    assert reply.status_code == 200, reply.text
    return reply.json()


async def spoil(sql: Sql, listing: str) -> None:
    await sql.execute("UPDATE listing_cards SET card = 'spoiled', tags = '{}' WHERE listing_id = $1", UUID(listing))


class TestWhoMay:
    async def test_only_administrators(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        admin = await people.admin()
        for person in (await people.new(), await people.moderator()):
            reply = await person.post("/search/index/replay", {"scope": "all"})
            assert (reply.status_code, reply.json()["code"]) == (403, "permission_denied")
        assert (await client.post("/api/v1/search/index/replay", json={"scope": "all"})).status_code == 401
        assert await sql.value("SELECT count(*) FROM search_replays") == 0
        made = await replay(admin, scope="listing_ids", listing_ids=[str(UUID(int=1))])
        assert (await (await people.moderator()).get(f"/search/index/replay/{made['id']}")).status_code == 403
        assert (await admin.get(f"/search/index/replay/{UUID(int=2)}")).status_code == 404
        (entry,) = await sql.rows("SELECT * FROM audit_log WHERE target_id = $1", made["id"])
        assert (entry["action"], str(entry["actor_id"])) == ("search.replay", admin.id)

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"scope": "some"},
            {"scope": "since"},
            {"scope": "listing_ids"},
            {"scope": "listing_ids", "listing_ids": []},
            {"scope": "all", "since": "2026-01-01T00:00:00Z"},
            {"scope": "since", "since": "2026-01-01T00:00:00"},
            {"scope": "since", "since": "2020-01-01T00:00:00Z"},
            {"scope": "category", "category_id": str(UUID(int=1))},
        ],
    )
    async def test_what_is_refused(self, people: People, sql: Sql, body: dict[str, object]) -> None:
        before = await sql.value("SELECT count(*) FROM search_replays")
        assert (await (await people.admin()).post("/search/index/replay", body)).status_code == 422
        assert await sql.value("SELECT count(*) FROM search_replays") == before


class TestRebuilding:
    async def test_all_is_made_as_it_was(self, people: People, sql: Sql, run_jobs: RunJobs) -> None:
        """What is lost comes back, what is wrong is put right, what should not be there goes."""
        admin, seller, blocked = await people.admin(), await people.new(), await people.new()
        made = [(await make_listing(seller, sql))["id"] for _ in range(4)]
        await make_listing(blocked, sql)
        await admin.post(f"/admin/users/{blocked.id}/block", {"reason": "Fraud"})
        await seller.post(f"/listings/{made[3]}/sold")
        draft = (await make_listing(seller, sql, publish=False))["id"]
        await run_jobs()
        before = await cards(sql)
        await sql.execute("DELETE FROM listing_cards WHERE listing_id = $1", UUID(made[0]))
        await spoil(sql, made[1])
        await sql.execute(
            "INSERT INTO listing_cards SELECT (jsonb_populate_record(c, jsonb_build_object('listing_id', $2::text))).*"
            " FROM listing_cards c WHERE listing_id = $1",
            UUID(made[2]),
            draft,
        )
        assert await card(sql, draft) is not None
        made_replay = await replay(admin, scope="all")
        assert made_replay["status"] == "QUEUED"
        await run_jobs()
        assert await cards(sql) == before
        done = await progress(admin, made_replay["id"])
        assert done["status"] == "DONE"
        assert done["handled"] == await sql.value("SELECT count(*) FROM listings")
        assert done["finished_at"] is not None

    async def test_only_what_was_named(self, people: People, sql: Sql, run_jobs: RunJobs) -> None:
        admin, seller = await people.admin(), await people.new()
        named, other = [(await make_listing(seller, sql))["id"] for _ in range(2)]
        for listing in (named, other):
            await spoil(sql, listing)
        made = await replay(admin, scope="listing_ids", listing_ids=[named])
        await run_jobs()
        assert [bool((await card(sql, listing) or {})["tags"]) for listing in (named, other)] == [True, False]
        assert (await progress(admin, made["id"]))["handled"] == 1

    async def test_only_what_changed_since(self, people: People, sql: Sql, run_jobs: RunJobs) -> None:
        admin, seller = await people.admin(), await people.new()
        earlier, later = [(await make_listing(seller, sql))["id"] for _ in range(2)]
        await sql.execute("UPDATE search_events SET created_at = created_at - interval '2 hours'")
        await seller.patch(f"/listings/{later}", {"title": "A better title"})
        for listing in (earlier, later):
            await spoil(sql, listing)
        since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        made = await replay(admin, scope="since", since=since)
        await run_jobs()
        assert [bool((await card(sql, listing) or {})["tags"]) for listing in (earlier, later)] == [False, True]
        assert (await progress(admin, made["id"]))["handled"] == 1

    async def test_one_of_everything_at_a_time(self, people: People, sql: Sql, run_jobs: RunJobs) -> None:
        admin = await people.admin()
        replies = await asyncio.gather(*(admin.post("/search/index/replay", {"scope": "all"}) for _ in range(4)))
        assert sorted(reply.status_code for reply in replies) == [202, 409, 409, 409]
        first = next(reply.json() for reply in replies if reply.status_code == 202)
        for reply in replies:
            if reply.status_code == 409:
                assert (reply.json()["code"], reply.json()["replay_id"]) == ("replay_under_way", first["id"])
        await run_jobs()
        assert (await replay(admin, scope="all"))["id"] != first["id"]
        await run_jobs()

    async def test_as_many_may_wait_as_can_be_overseen(
        self, people: People, sql: Sql, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await run_jobs()
        monkeypatch.setattr(replaying, "MOST_WAITING", 2)
        admin = await people.admin()
        body = {"scope": "listing_ids", "listing_ids": [str(UUID(int=1))]}
        codes = [(await admin.post("/search/index/replay", body)).status_code for _ in range(3)]
        assert codes == [202, 202, 503]
        await run_jobs()
        await replay(admin, **body)
        await run_jobs()

    async def test_changes_meanwhile_are_neither_lost_nor_undone(
        self, people: People, sql: Sql, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Sellers edit, hide, sell and delete while the same cards are rebuilt again and again."""
        monkeypatch.setattr(replaying, "BATCH", 3)
        seller = await people.new()
        made = [(await make_listing(seller, sql))["id"] for _ in range(9)]
        over = asyncio.Event()

        async def rebuild() -> None:
            while not over.is_set():
                async with runtime.unit_of_work() as session:
                    replay_id = await replaying.begin(session, "listing_ids", listing_ids=[UUID(item) for item in made])
                more = True
                while more:
                    async with runtime.unit_of_work() as session:
                        more = await replaying.step(session, replay_id)

        async def live(number: int, listing: str) -> None:
            for turn in range(4):
                changed = await seller.patch(f"/listings/{listing}", {"title": f"Coat {number} of turn {turn}"})
                assert changed.status_code == 200, changed.text
                for move in ("unpublish", "publish"):
                    assert (await seller.post(f"/listings/{listing}/{move}")).status_code == 200
            if number % 3 == 0:
                assert (await seller.delete(f"/listings/{listing}")).status_code == 204
            elif number % 3 == 1:
                assert (await seller.post(f"/listings/{listing}/unpublish")).status_code == 200

        rebuilding = asyncio.gather(rebuild(), rebuild())
        await asyncio.gather(*(live(number, listing) for number, listing in enumerate(made)))
        over.set()
        await rebuilding
        for number, listing in enumerate(made):
            found = await card(sql, listing)
            if number % 3 != 2:
                assert found is None
                continue
            assert found is not None
            assert b"of turn 3" in bytes(found["card"])  # pyright: ignore[reportArgumentType]
            assert found["version"] == await sql.value("SELECT version FROM listings WHERE id = $1", UUID(listing))


class TestTakingUp:
    async def test_works_in_slices(
        self, people: People, sql: Sql, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(replaying, "BATCH", 1)
        monkeypatch.setattr(replay_jobs, "SLICE_SECONDS", 0.0)
        admin, seller = await people.admin(), await people.new()
        made = [(await make_listing(seller, sql))["id"] for _ in range(4)]
        for listing in made:
            await spoil(sql, listing)
        asked = await replay(admin, scope="listing_ids", listing_ids=made)
        await run_jobs()
        done = await progress(admin, asked["id"])
        assert (done["status"], done["handled"], done["estimated_total"]) == ("DONE", 4, 4)
        assert all([(await card(sql, listing) or {})["tags"] for listing in made])

    async def test_what_was_left_lying_is_taken_up(
        self, people: People, sql: Sql, runtime: Runtime, run_jobs: RunJobs
    ) -> None:
        seller = await people.new()
        listing = (await make_listing(seller, sql))["id"]
        await spoil(sql, listing)
        async with runtime.unit_of_work() as session:
            await replaying.begin(session, "listing_ids", listing_ids=[UUID(listing)])
        await resume_replays.run(runtime)
        await run_jobs()
        assert not (await card(sql, listing) or {})["tags"]  # somebody is at it, for all that is known
        await sql.execute("UPDATE search_replays SET touched_at = now() - interval '3 minutes'")
        await resume_replays.run(runtime)
        await run_jobs()
        assert (await card(sql, listing) or {})["tags"]

    async def test_finished_ones_are_forgotten_after_a_month(self, sql: Sql, runtime: Runtime) -> None:
        await sql.execute("UPDATE search_replays SET finished_at = now() - interval '31 days'")
        await prune_replays.run(runtime)
        assert await sql.value("SELECT count(*) FROM search_replays") == 0
