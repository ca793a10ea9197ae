"""Purging while others are at the same listings, and when it is cut short."""

import asyncio
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from memi.listings import jobs
from memi.platform import sweeping
from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.runtime import Runtime
from memi.platform.sweeping import SweepIncomplete
from memi.privacy.erasure import erase_accounts
from support.items import make_listing
from support.lives import RunJobs
from support.people import People
from support.purges import claimed, deleted, for_sale, is_stub, row, talked_of
from support.sql import Sql
from support.uploads import make_upload


async def who_waits(superuser: Sql) -> int:
    """The process of the database that waits for somebody else's lock, once there is one."""
    waiting = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(10):
        while (pid := await superuser.value(waiting)) is None:
            await asyncio.sleep(0.02)
    return pid


class TestAtTheSameMoment:
    async def test_either_it_is_purged_or_it_is_back(self, people: People, sql: Sql, runtime: Runtime) -> None:
        admin, seller = await people.admin(), await people.new()
        ends: set[str] = set()
        for number in range(36):
            listing = (await talked_of(people, sql, seller)).id if number % 2 else await for_sale(seller, sql, 1)
            await deleted(seller, sql, listing)

            async def restore(listing: str = listing, wait: float = max(0, number // 2 % 12 - 6) / 200) -> int:
                await asyncio.sleep(wait)
                body = {"reason": "Asked for by mail"}
                return (await admin.post(f"/admin/listings/{listing}/restore", body)).status_code

            async def purge(wait: float = max(0, 6 - number // 2 % 12) / 200) -> None:
                await asyncio.sleep(wait)
                await jobs.purge_deleted.run(runtime)

            status, _ = await asyncio.gather(restore(), purge())
            found = await row(sql, listing)
            if status == 200:
                assert found is not None
                assert (found["status"], found["purged_at"]) == ("ACTIVE", None)
                assert found["condition"] is not None
                ends.add("back")
            else:
                assert status == (409 if number % 2 else 404)
                assert found is None or found["purged_at"] is not None
                ends.add("purged")
        assert ends == {"back", "purged"}, "both sides won at times"

    async def test_two_workers_share_the_work(
        self, people: People, sql: Sql, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sweeping, "_BATCH", 3)
        seller = await people.new()
        shared = await make_upload(sql, seller.id)
        stubs = [(await talked_of(people, sql, seller)).id for _ in range(6)]
        # The same picture in all of them, so that the workers meet there as well.
        items = [(await make_listing(seller, sql, images=[shared]))["id"] for _ in range(12)]
        for listing in (*stubs, *items):
            await deleted(seller, sql, listing)
        await asyncio.gather(*(jobs.purge_deleted.run(runtime) for _ in range(3)))
        left = await sql.rows("SELECT id, version FROM listings WHERE seller_id = $1", UUID(seller.id))
        assert {(str(item["id"]), item["version"]) for item in left} == {(stub, 4) for stub in stubs}, (
            "each was made, shown, deleted and purged once"
        )
        assert await sql.value("SELECT count(*) FROM upload_claims WHERE upload_id = $1", UUID(shared)) == 0
        assert await sql.value("SELECT unclaimed_since IS NOT NULL FROM uploads WHERE id = $1", UUID(shared))

    async def test_what_is_killed_half_way_is_whole_and_done_by_the_next(
        self, people: People, sql: Sql, runtime: Runtime, database_urls: EmbeddedUrls
    ) -> None:
        seller = await people.new()
        gone, stub = await for_sale(seller, sql), (await talked_of(people, sql, seller)).id
        for listing in (stub, gone):
            await deleted(seller, sql, listing)
        before = await row(sql, stub)
        async with Sql.connect(database_urls.superuser) as superuser, sql.connection.transaction():
            # It is locked by then, and its pictures cannot be let go of.
            await sql.execute("SELECT FROM listing_images WHERE listing_id = $1 FOR UPDATE", UUID(stub))
            run = asyncio.ensure_future(jobs.purge_deleted.run(runtime))
            assert await superuser.value("SELECT pg_terminate_backend($1)", await who_waits(superuser))
            with pytest.raises(SweepIncomplete):
                await run
        assert await row(sql, stub) == before
        assert len(await claimed(sql, stub)) == 3
        assert await row(sql, gone) is None, "the next one had its own unit of work"
        await jobs.purge_deleted.run(runtime)
        assert await is_stub(sql, stub)

    async def test_an_account_that_goes_passes_over_what_is_purged_meanwhile(
        self, people: People, sql: Sql, runtime: Runtime, database_urls: EmbeddedUrls
    ) -> None:
        seller = await people.new()
        first, purged = await for_sale(seller, sql), await for_sale(seller, sql)
        assert first < purged, "they are erased in this order"
        await deleted(seller, sql, purged)
        assert (await seller.delete("/users/me")).status_code == 204
        await sql.execute("UPDATE users SET erase_after = now() WHERE id = $1", UUID(seller.id))
        async with Sql.connect(database_urls.superuser) as superuser, sql.connection.transaction():
            await sql.execute("SELECT FROM listings WHERE id = $1 FOR NO KEY UPDATE", UUID(first))
            erasure = asyncio.ensure_future(erase_accounts.run(runtime))
            await who_waits(superuser)
            await jobs.purge_deleted.run(runtime)
            assert await row(superuser, purged) is None
            assert not erasure.done()
        await erasure
        assert await sql.value("SELECT erased_at IS NOT NULL FROM users WHERE id = $1", UUID(seller.id))
        assert await row(sql, first) is None

    async def test_search_is_rebuilt_over_what_is_gone(
        self, people: People, sql: Sql, runtime: Runtime, run_jobs: RunJobs
    ) -> None:
        admin, seller = await people.admin(), await people.new()
        stays, gone = await for_sale(seller, sql), await for_sale(seller, sql)
        stub = (await talked_of(people, sql, seller)).id
        for listing in (gone, stub):
            await deleted(seller, sql, listing)
        ids = {"scope": "listing_ids", "listing_ids": [stays, gone, stub]}
        asked = [await admin.post("/search/index/replay", body) for body in (ids, {"scope": "all"})]
        await sql.execute("UPDATE listing_cards SET card = 'spoiled' WHERE listing_id = $1", UUID(stays))
        await jobs.purge_deleted.run(runtime)
        await run_jobs()
        for reply in asked:
            done = (await admin.get(f"/search/index/replay/{reply.json()['id']}")).json()
            assert done["status"] == "DONE", done
        shown = await sql.rows("SELECT listing_id, card FROM listing_cards WHERE seller_id = $1", UUID(seller.id))
        assert [str(item["listing_id"]) for item in shown] == [stays]
        assert b'"title":"Wool coat, hardly worn"' in shown[0]["card"]


class TestOneThatFails:
    async def test_holds_up_no_other_and_is_told_of(
        self, people: People, sql: Sql, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sweeping, "_BATCH", 2)
        seller = await people.new()
        stuck, *others = [await for_sale(seller, sql, 1) for _ in range(5)]
        for number, listing in enumerate((stuck, *others)):
            await deleted(seller, sql, listing, 100 - number)
        before = await row(sql, stuck)
        await sql.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN RAISE EXCEPTION 'it is stuck' USING DETAIL = OLD.title; END$$"
        )
        await sql.execute(
            f"CREATE TRIGGER refuse BEFORE DELETE ON listings FOR EACH ROW WHEN (OLD.id = '{stuck}') "
            "EXECUTE FUNCTION refuse()"
        )
        for left in (1, 1):
            with capture_logs() as logs, pytest.raises(SweepIncomplete, match="1 of deleted listing"):
                await jobs.purge_deleted.run(runtime)
            failures = [entry for entry in logs if entry["event"] == "expiry_failed"]
            assert [(entry["log_level"], entry["what"], entry["id"]) for entry in failures] == [
                ("error", "deleted listing", stuck)
            ]
            count = "SELECT count(*) FROM listings WHERE seller_id = $1"
            assert await sql.value(count, UUID(seller.id)) == left
            assert await row(sql, stuck) == before
            assert len(await claimed(sql, stuck)) == 1
        await sql.execute("DROP TRIGGER refuse ON listings")
        await jobs.purge_deleted.run(runtime)
        assert await row(sql, stuck) is None
