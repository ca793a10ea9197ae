"""Purging while others are at the same listings, and when it is cut short."""

import asyncio
from uuid import UUID

import pytest
from sqlalchemy.exc import DBAPIError

from memi.listings import jobs
from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.runtime import Runtime
from support.items import make_listing
from support.lives import RunJobs
from support.people import People
from support.purges import claimed, deleted, for_sale, is_stub, row, talked_of
from support.sql import Sql
from support.uploads import make_upload


class TestAtTheSameMoment:
    async def test_either_it_is_purged_or_it_is_back(self, people: People, sql: Sql, runtime: Runtime) -> None:
        admin, seller = await people.admin(), await people.new()
        ends: set[str] = set()
        for number in range(36):
            listing = (await talked_of(people, sql, seller)).id if number % 2 else await for_sale(seller, sql, 1)
            await deleted(seller, sql, listing)

            async def later(wait: float = number // 2 % 12 / 500) -> None:
                await asyncio.sleep(wait)
                await jobs.purge_deleted.run(runtime)

            asked = admin.post(f"/admin/listings/{listing}/restore", {"reason": "Asked for by mail"})
            reply, _ = await asyncio.gather(asked, later())
            status = reply.status_code
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
        monkeypatch.setattr(jobs, "PURGED_AT_ONCE", 3)
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

    async def test_what_is_killed_half_way_changed_nothing_and_is_done_by_the_next(
        self, people: People, sql: Sql, runtime: Runtime, database_urls: EmbeddedUrls
    ) -> None:
        seller = await people.new()
        gone, stub = await for_sale(seller, sql), (await talked_of(people, sql, seller)).id
        for listing in (gone, stub):
            await deleted(seller, sql, listing)
        before = [await row(sql, listing) for listing in (gone, stub)]
        waiting = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        async with Sql.connect(database_urls.superuser) as superuser, sql.connection.transaction():
            # The first is purged by now, the second cannot be.
            await sql.execute("SELECT FROM listing_images WHERE listing_id = $1 FOR UPDATE", UUID(stub))
            run = asyncio.ensure_future(jobs.purge_deleted.run(runtime))
            async with asyncio.timeout(10):
                while (pid := await superuser.value(waiting)) is None:
                    await asyncio.sleep(0.02)
            assert await superuser.value("SELECT pg_terminate_backend($1)", pid)
            with pytest.raises(DBAPIError, match="terminating connection"):
                await run
        assert [await row(sql, listing) for listing in (gone, stub)] == before
        assert [len(await claimed(sql, listing)) for listing in (gone, stub)] == [3, 3]
        await jobs.purge_deleted.run(runtime)
        assert await row(sql, gone) is None
        assert await is_stub(sql, stub)

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
