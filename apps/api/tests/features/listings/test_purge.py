"""What was deleted long ago goes for good: whole, or to a stub of what others talked, dealt or decided about."""

from typing import Any
from uuid import UUID

import asyncpg
import pytest

from memi.listings import jobs
from memi.media.jobs import sweep_uploads
from memi.media.store import Area, new_key, store_of
from memi.platform import sweeping
from memi.platform.runtime import Runtime
from memi.privacy.erasure import erase_accounts
from support.cases import Cases
from support.cases import cases as cases
from support.deals import Deals
from support.deals import deals as deals
from support.lives import RunJobs
from support.orders import Orders
from support.orders import orders as orders
from support.people import People
from support.purges import WORDS, claimed, deleted, for_sale, is_stub, is_whole, pictures, row, talked_of
from support.sql import Sql
from support.talks import talks as talks


class TestWhatNobodyElseHasToDoWith:
    async def test_goes_with_all_that_is_its_own(
        self, people: People, sql: Sql, runtime: Runtime, run_jobs: RunJobs
    ) -> None:
        seller, fan, moderator = await people.new(), await people.new(), await people.moderator()
        listing = await for_sale(seller, sql)
        assert (await fan.put(f"/listings/{listing}/favorite")).status_code == 204
        flag = (await moderator.post(f"/admin/listings/{listing}/flags", {"kind": "SPAM"})).json()["id"]
        await moderator.post(f"/admin/listings/{listing}/flags/{flag}/resolve", {})
        held = await claimed(sql, listing)
        await deleted(seller, sql, listing)
        await jobs.purge_deleted.run(runtime)
        assert await row(sql, listing) is None
        for table in ("listing_images", "listing_counters", "listing_flags", "favorites", "search_events"):
            assert await sql.value(f"SELECT count(*) FROM {table} WHERE listing_id = $1", UUID(listing)) == 0, table
        assert (await fan.get("/users/me/favorites")).json()["items"] == []
        # That it was there stays true: the numbers and the audit log refer to nothing.
        moves = "SELECT before, after FROM status_moves WHERE listing_id = $1 ORDER BY id DESC LIMIT 1"
        assert await sql.rows(moves, UUID(listing)) == [{"before": "DELETED", "after": None}]
        assert await sql.value("SELECT count(*) FROM audit_log WHERE target_id = $1", listing) == 2
        assert len(held) == 3
        await self._are_swept(held, sql, runtime, run_jobs)

    async def _are_swept(self, uploads: set[str], sql: Sql, runtime: Runtime, run_jobs: RunJobs) -> None:
        """Out of the store too, by the way that every picture goes."""
        store, keys = store_of(runtime.adapters), list[str]()
        for upload in uploads:
            original, shown = new_key(Area.ORIGINALS), new_key(Area.PUBLIC)
            for key in (original, shown):
                await store.put(key, b"picture", "image/webp")
            keys += [original, shown]
            await sql.execute(
                "UPDATE uploads SET incoming_key = $2, original_key = $3, unclaimed_since = unclaimed_since - "
                "interval '60 days', renditions = jsonb_set(renditions, '{0,key}', to_jsonb($4::text)) WHERE id = $1",
                UUID(upload),
                new_key(Area.INCOMING),
                original,
                shown,
            )
        assert [await store.size(key) for key in keys] == [7] * 6
        await sweep_uploads.run(runtime)
        await run_jobs()
        ids = [UUID(item) for item in uploads]
        assert await sql.value("SELECT count(*) FROM uploads WHERE id = ANY($1)", ids) == 0
        assert [await store.size(key) for key in keys] == [None] * 6

    async def test_only_after_its_days_by_the_databases_clock(self, people: People, sql: Sql, runtime: Runtime) -> None:
        seller = await people.new()
        young, old = await for_sale(seller, sql), await for_sale(seller, sql)
        await deleted(seller, sql, young, 89.9)
        await deleted(seller, sql, old, 90.1)
        await jobs.purge_deleted.run(runtime)
        assert await is_whole(sql, young)
        assert await claimed(sql, young) == set(await pictures(sql, young))
        assert await row(sql, old) is None

    @pytest.mark.parametrize("status", ["ACTIVE", "DRAFT", "REMOVED"])
    async def test_what_its_owner_did_not_delete_stays(
        self, people: People, sql: Sql, runtime: Runtime, status: str
    ) -> None:
        seller, admin = await people.new(), await people.admin()
        listing = await for_sale(seller, sql, publish=status != "DRAFT")
        if status == "REMOVED":
            await admin.post(f"/admin/listings/{listing}/remove", {"reason": "Not the maker's label"})
        await sql.execute(
            "UPDATE listings SET deleted_at = now() - interval '1 year', created_at = now() - interval '2 years' "
            "WHERE id = $1",
            UUID(listing),
        )
        await jobs.purge_deleted.run(runtime)
        assert await is_whole(sql, listing)
        assert len(await claimed(sql, listing)) == 3

    async def test_more_than_a_batch(
        self, people: People, sql: Sql, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sweeping, "_BATCH", 2)
        seller = await people.new()
        for _ in range(5):
            await deleted(seller, sql, await for_sale(seller, sql, 1))
        await jobs.purge_deleted.run(runtime)
        assert await sql.value("SELECT count(*) FROM listings WHERE seller_id = $1", UUID(seller.id)) == 0


class TestWhatOthersReferTo:
    async def test_a_chats_item_becomes_what_its_people_see_of_it(
        self, people: People, sql: Sql, runtime: Runtime
    ) -> None:
        talk = await talked_of(people, sql)
        listing, chat, seller, buyer = talk.id, talk.chat, talk.seller, talk.buyer
        await buyer.put(f"/listings/{listing}/favorite")
        await deleted(seller, sql, listing)
        first, *others = await pictures(sql, listing)
        before, version = (await buyer.get(f"/chats/{chat}")).json(), (await row(sql, listing) or {})["version"]
        assert before["listing"]["cover"] is not None
        await jobs.purge_deleted.run(runtime)
        assert (await buyer.get(f"/chats/{chat}")).json() == before
        assert (await seller.get(f"/chats/{chat}")).json()["listing"] == before["listing"]
        left = await row(sql, listing)
        assert left is not None
        kept = {name for name, value in left.items() if value not in (None, "", "{}")}
        assert kept == {
            *("id", "seller_id", "title", "price_amount", "currency", "status", "previous_status", "category_id"),
            *("version", "created_at", "published_at", "expires_at", "deleted_at", "purged_at"),
        }
        assert left["version"] == version + 1
        assert await pictures(sql, listing) == [first]
        assert await claimed(sql, listing) == {first}
        waiting = "SELECT count(*) FROM uploads WHERE id = ANY($1) AND unclaimed_since IS NOT NULL"
        assert await sql.value(waiting, [UUID(item) for item in others]) == 2
        assert [item["available"] for item in (await buyer.get("/users/me/favorites")).json()["items"]] == [False]
        await jobs.purge_deleted.run(runtime)
        assert await row(sql, listing) == left, "it is not looked at again"

    async def test_what_was_asked_for_and_what_was_ordered(
        self, people: People, deals: Deals, orders: Orders, sql: Sql, runtime: Runtime
    ) -> None:
        asked, bought = await deals.new(), await orders.new()
        for deal in (asked, bought):
            await sql.execute("UPDATE listings SET description = $2 WHERE id = $1", UUID(deal.item), "Worn twice")
        bill = await bought.read()
        for deal in (asked, bought):
            await deleted(deal.seller, sql, deal.item)
        await jobs.purge_deleted.run(runtime)
        for deal in (asked, bought):
            assert await is_stub(sql, deal.item)
        reservation = (await asked.buyer.get(f"/reservations/{asked.id}")).json()
        assert (reservation["status"], reservation["listing"]["status"]) == ("CANCELLED", "DELETED")
        order = await bought.read()
        assert order["status"] == "CANCELLED"
        assert [order[name] for name in ("title", "price", "cover")] == [
            bill[name] for name in ("title", "price", "cover")
        ]

    async def test_flags_close_and_lose_their_notes(self, people: People, sql: Sql, runtime: Runtime) -> None:
        talk = await talked_of(people, sql)
        for kind, source, is_open in (("FRAUD", "PLUGIN", True), ("SPAM", "USER", False)):
            await sql.execute(
                "INSERT INTO listing_flags (id, listing_id, kind, source, note, resolved_at) "
                "VALUES (gen_random_uuid(), $1, $2, $3, 'Looks like hers', CASE WHEN NOT $4 THEN now() END)",
                UUID(talk.id),
                kind,
                source,
                is_open,
            )
        await deleted(talk.seller, sql, talk.id)
        await jobs.purge_deleted.run(runtime)
        assert await is_stub(sql, talk.id)
        flags = await sql.rows("SELECT * FROM listing_flags WHERE listing_id = $1", UUID(talk.id))
        assert {(flag["kind"], flag["note"], flag["resolved_at"] is None) for flag in flags} == {
            ("FRAUD", None, False),
            ("SPAM", None, False),
        }

    async def test_an_account_that_goes_takes_the_rest_along(self, people: People, sql: Sql, runtime: Runtime) -> None:
        """Erasing what was purged before fails at nothing."""
        talk = await talked_of(people, sql)
        await deleted(talk.seller, sql, talk.id)
        await jobs.purge_deleted.run(runtime)
        await talk.seller.delete("/users/me")
        await sql.execute("UPDATE users SET erase_after = now() WHERE id = $1", UUID(talk.seller.id))
        await erase_accounts.run(runtime)
        assert await sql.value("SELECT erased_at IS NOT NULL FROM users WHERE id = $1", UUID(talk.seller.id))
        assert await is_stub(sql, talk.id)


class TestWhatModeratorsLookAt:
    async def test_an_open_report_keeps_it_whole_and_survives(
        self, people: People, cases: Cases, sql: Sql, runtime: Runtime
    ) -> None:
        moderator, seller = await people.moderator(), await people.new()
        listing = await for_sale(seller, sql)
        case = await cases.again("LISTING", listing, await people.new(), seller)
        await deleted(seller, sql, listing)
        await jobs.purge_deleted.run(runtime)
        assert await is_whole(sql, listing)
        shown = (await moderator.get(f"/admin/reports/{case.id}")).json()
        assert shown["now"]["description"] == WORDS["description"]
        assert len(shown["now"]["images"]) == 3
        await case.decided(moderator, "DISMISS")
        await jobs.purge_deleted.run(runtime)
        assert await is_stub(sql, listing)
        after = (await moderator.get(f"/admin/reports/{case.id}")).json()
        assert (after["status"], after["target_id"], after["now"]["title"]) == (
            "RESOLVED",
            listing,
            shown["now"]["title"],
        )
        assert after["as_reported"] == shown["as_reported"]

    async def test_so_does_a_decision_while_it_can_be_appealed_or_is(
        self, people: People, cases: Cases, sql: Sql, runtime: Runtime
    ) -> None:
        moderator, colleague, seller = await people.moderator(), await people.moderator(), await people.new()
        ended, appealed = [await for_sale(seller, sql) for _ in range(2)]
        opened: dict[str, Any] = {}
        for listing in (ended, appealed):
            opened[listing] = await cases.again("LISTING", listing, await people.new(), seller)
            await opened[listing].decided(moderator, "WARN_USER")
            await deleted(seller, sql, listing)
        await jobs.purge_deleted.run(runtime)
        assert await is_whole(sql, ended), "it can be appealed"
        appeal = await opened[appealed].appealed()
        await sql.execute("ALTER TABLE moderation_decisions DISABLE TRIGGER stay")
        await sql.execute("UPDATE moderation_decisions SET decided_at = decided_at - interval '31 days'")
        await sql.execute("ALTER TABLE moderation_decisions ENABLE TRIGGER stay")
        await jobs.purge_deleted.run(runtime)
        assert await is_stub(sql, ended)
        assert await is_whole(sql, appealed), "it is appealed"
        body = {"decision": "UPHOLD", "statement": "It is not the maker's."}
        reply = await colleague.post(f"/admin/appeals/{appeal}/decide", body)
        assert reply.status_code == 200, reply.text
        await jobs.purge_deleted.run(runtime)
        assert await is_stub(sql, appealed)

    async def test_and_what_a_colleague_flagged(self, people: People, sql: Sql, runtime: Runtime) -> None:
        seller, moderator = await people.new(), await people.moderator()
        listing = await for_sale(seller, sql)
        flag = (await moderator.post(f"/admin/listings/{listing}/flags", {"kind": "STOLEN"})).json()["id"]
        await deleted(seller, sql, listing)
        await jobs.purge_deleted.run(runtime)
        assert await is_whole(sql, listing)
        await moderator.post(f"/admin/listings/{listing}/flags/{flag}/resolve", {})
        await jobs.purge_deleted.run(runtime)
        assert await row(sql, listing) is None


class TestWhoSeesIt:
    async def test_its_owner_until_it_is_purged(self, people: People, sql: Sql, runtime: Runtime) -> None:
        seller = await people.new()
        talk = await talked_of(people, sql, seller)
        gone, stub = await for_sale(seller, sql), talk.id
        for listing in (gone, stub):
            await deleted(seller, sql, listing)
        own = "/users/me/listings?status=DELETED"
        assert {item["id"] for item in (await seller.get(own)).json()["items"]} == {gone, stub}
        await jobs.purge_deleted.run(runtime)
        for path in (own, "/users/me/listings"):
            assert (await seller.get(path)).json()["items"] == []
        for listing in (gone, stub):
            assert (await seller.get(f"/listings/{listing}")).status_code == 404
            assert (await seller.patch(f"/listings/{listing}", {"title": "Mine again"})).status_code == 404
            assert (await seller.post(f"/listings/{listing}/publish")).status_code == 404
        assert (await seller.get(f"/chats/{talk.chat}")).json()["listing"]["status"] == "DELETED"

    async def test_staff_see_what_is_left_and_since_when(self, people: People, sql: Sql, runtime: Runtime) -> None:
        talk, moderator = await talked_of(people, sql), await people.moderator()
        await deleted(talk.seller, sql, talk.id)
        path = f"/admin/listings?seller={talk.seller.id}"
        (before,) = (await moderator.get(path)).json()["items"]
        await jobs.purge_deleted.run(runtime)
        (after,) = (await moderator.get(path)).json()["items"]
        assert (before["purged_at"], before["id"]) == (None, talk.id)
        assert (after["purged_at"] is not None, after["id"]) == (True, talk.id)


class TestComingBack:
    async def test_nobody_gives_back_what_is_purged(self, people: People, sql: Sql, runtime: Runtime) -> None:
        admin, seller = await people.admin(), await people.new()
        stub, gone = (await talked_of(people, sql, seller)).id, await for_sale(seller, sql)
        for listing in (stub, gone):
            await deleted(seller, sql, listing)
        await jobs.purge_deleted.run(runtime)
        left = await row(sql, stub)
        reply = await admin.post(f"/admin/listings/{stub}/restore", {"reason": "Asked for by mail"})
        assert (reply.status_code, reply.json()["code"]) == (409, "listing_purged")
        assert (await admin.post(f"/admin/listings/{gone}/restore", {"reason": "Asked"})).status_code == 404
        both = {"action": "RESTORE", "ids": [stub, gone], "reason": "Asked for by mail"}
        done = (await admin.post("/admin/bulk/listings", both)).json()
        assert [item["code"] for item in done["items"]] == ["listing_purged", "not_found"]
        assert await row(sql, stub) == left
        audited = "SELECT count(*) FROM audit_log WHERE target_id = ANY($1) AND action = 'listing.restore'"
        assert await sql.value(audited, [stub, gone]) == 0

    async def test_until_then_an_administrator_does_however_late(
        self, people: People, sql: Sql, runtime: Runtime
    ) -> None:
        admin, seller = await people.admin(), await people.new()
        listing = await for_sale(seller, sql)
        await deleted(seller, sql, listing)
        assert (await admin.post(f"/admin/listings/{listing}/restore", {"reason": "Asked"})).status_code == 200
        await jobs.purge_deleted.run(runtime)
        assert await is_whole(sql, listing)
        assert (await row(sql, listing) or {})["status"] == "ACTIVE"

    @pytest.mark.parametrize(
        "change", ["purged_at = NULL", "status = 'ACTIVE', previous_status = NULL", "description = 'Back'", "lat = 1"]
    )
    async def test_the_database_refuses_it_too(self, people: People, sql: Sql, runtime: Runtime, change: str) -> None:
        talk = await talked_of(people, sql)
        await deleted(talk.seller, sql, talk.id)
        await jobs.purge_deleted.run(runtime)
        left = await row(sql, talk.id)
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await sql.execute(f"UPDATE listings SET {change} WHERE id = $1", UUID(talk.id))
        assert await row(sql, talk.id) == left
