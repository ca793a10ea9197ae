"""The end of a listing's days, blocked and renamed sellers, finished pictures."""

from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from memi.listings import jobs
from memi.listings.events import ListingChanged, ListingExpiring, ListingMoved
from memi.media.events import UploadReady
from memi.platform.events import EventBus, in_transaction, publish
from memi.platform.runtime import Runtime
from memi.users import service as users
from support.items import make_listing
from support.people import People
from support.sql import Sql
from support.uploads import finish_upload, make_upload

RunJobs = Callable[[], Awaitable[None]]


@pytest.fixture
def heard(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every event of listings that is told from now on."""
    found: list[Any] = []
    module = ModuleType("listeners")

    def listen(kind: type) -> None:
        @in_transaction(kind)
        async def note(event: Any, session: AsyncSession) -> None:
            found.append(event)

        setattr(module, kind.__name__, note)

    for kind in (ListingChanged, ListingMoved, ListingExpiring):
        listen(kind)
    bus = runtime.bus
    listening = EventBus([module])
    joined = {
        kind: [*bus._by_type.get(kind, []), *listening._by_type.get(kind, [])]
        for kind in {*bus._by_type, *listening._by_type}
    }
    monkeypatch.setattr(bus, "_by_type", joined)
    return found


class TestExpiry:
    async def test_what_is_over_expires_by_the_databases_clock(
        self, people: People, sql: Sql, runtime: Runtime, heard: list[Any]
    ) -> None:
        seller = await people.new()
        over, reserved, fresh = [(await make_listing(seller, sql))["id"] for _ in range(3)]
        await seller.post(f"/listings/{reserved}/reserve")
        late = "UPDATE listings SET expires_at = now() - interval '1 second' WHERE id = ANY($1)"
        await sql.execute(late, [UUID(over), UUID(reserved)])
        heard.clear()
        await jobs.expire_listings.run(runtime)
        await jobs.expire_listings.run(runtime)
        status = "SELECT status FROM listings WHERE id = $1"
        assert [await sql.value(status, item) for item in (over, reserved, fresh)] == ["EXPIRED", "RESERVED", "ACTIVE"]
        moved = [event for event in heard if isinstance(event, ListingMoved)]
        assert [(str(event.listing_id), event.move) for event in moved] == [(over, "expire")]
        assert (await seller.get(f"/users/{seller.id}")).json()["active_listing_count"] == 1
        back = await seller.post(f"/listings/{over}/relist")
        assert back.json()["status"] == "ACTIVE"
        assert back.json()["published_at"] > (await seller.get("/users/me")).json()["created_at"]
        days = "SELECT expires_at > now() + interval '59 days' FROM listings WHERE id = $1"
        assert await sql.value(days, over) is True

    async def test_more_than_a_batch(
        self, people: People, sql: Sql, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(jobs, "BATCH", 2)
        seller = await people.new()
        for _ in range(5):
            await make_listing(seller, sql)
        await sql.execute("UPDATE listings SET expires_at = now() WHERE seller_id = $1", seller.id)
        await jobs.expire_listings.run(runtime)
        left = "SELECT count(*) FROM listings WHERE seller_id = $1 AND status = 'ACTIVE'"
        assert await sql.value(left, seller.id) == 0

    async def test_sellers_hear_once_three_days_before(
        self, people: People, sql: Sql, runtime: Runtime, heard: list[Any]
    ) -> None:
        seller = await people.new()
        soon, later = (await make_listing(seller, sql))["id"], (await make_listing(seller, sql))["id"]
        ends = "UPDATE listings SET expires_at = now() + CAST($2 AS text)::interval WHERE id = $1"
        await sql.execute(ends, soon, "71 hours")
        await sql.execute(ends, later, "73 hours")
        for _ in range(2):
            await jobs.notice_expiring.run(runtime)
        told = [event for event in heard if isinstance(event, ListingExpiring)]
        assert told == [ListingExpiring(UUID(soon), UUID(seller.id))]


class TestSellers:
    async def test_a_blocked_sellers_things_are_free_and_hidden(
        self, people: People, sql: Sql, runtime: Runtime, heard: list[Any], run_jobs: RunJobs
    ) -> None:
        seller, stranger = await people.new(), await people.new()
        shown, reserved = [(await make_listing(seller, sql))["id"] for _ in range(2)]
        draft = (await make_listing(seller, sql, publish=False))["id"]
        await seller.post(f"/listings/{reserved}/reserve")
        heard.clear()
        async with runtime.unit_of_work() as session:
            await users.block(session, UUID(seller.id))
        assert (await stranger.get(f"/listings/{shown}")).status_code == 404
        assert await sql.value("SELECT status FROM listings WHERE id = $1", reserved) == "ACTIVE"
        assert await sql.value("SELECT count(*) FROM listing_holds WHERE listing_id = $1", reserved) == 0
        moved = [(str(event.listing_id), event.move) for event in heard if isinstance(event, ListingMoved)]
        assert moved == [(reserved, "unreserve")]
        await run_jobs()
        changed = {str(event.listing_id) for event in heard if isinstance(event, ListingChanged)}
        assert changed == {shown, reserved}
        assert draft not in changed
        assert (await stranger.post(f"/listings/{shown}/sold")).status_code == 404
        heard.clear()
        async with runtime.unit_of_work() as session:
            await users.unblock(session, UUID(seller.id))
        assert (await stranger.get(f"/listings/{shown}")).status_code == 200
        await run_jobs()
        assert {str(event.listing_id) for event in heard} == {shown, reserved}
        assert (await stranger.post(f"/listings/{shown}/sold")).status_code == 403

    async def test_a_rename_is_told_of_each_listing_in_batches(
        self, people: People, sql: Sql, heard: list[Any], run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(jobs, "BATCH", 2)
        seller = await people.new()
        made = {(await make_listing(seller, sql))["id"] for _ in range(5)}
        heard.clear()
        await seller.patch("/users/me", {"name": "Leyla"})
        await run_jobs()
        assert {str(event.listing_id) for event in heard if isinstance(event, ListingChanged)} == made


class TestPictures:
    async def test_a_finished_picture_is_shown_and_told(
        self, people: People, sql: Sql, runtime: Runtime, heard: list[Any], run_jobs: RunJobs
    ) -> None:
        seller = await people.new()
        slow = await make_upload(sql, seller.id, "PROCESSING")
        images = [await make_upload(sql, seller.id), slow]
        made = await make_listing(seller, sql, images=images)
        await finish_upload(sql, slow)
        heard.clear()
        async with runtime.unit_of_work() as session:
            publish(session, UploadReady(UUID(slow), UUID(seller.id)))
        await run_jobs()
        assert heard == [ListingChanged(UUID(made["id"]), UUID(seller.id))]
        assert await sql.value("SELECT version FROM listings WHERE id = $1", made["id"]) == made["version"] + 1
