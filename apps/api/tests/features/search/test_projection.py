"""The read model and the outbox follow every change of a listing, or none of it happened."""

from uuid import UUID

import pytest
from sqlalchemy import event

from memi.listings.events import ListingChanged
from memi.platform.events import publish
from memi.platform.runtime import Runtime
from memi.platform.unit_of_work import OpenUnit
from memi.search import queries
from memi.search.jobs import consume, consume_search_events, prune_search_events
from memi.users import service as users
from support.items import make_listing
from support.people import People
from support.sql import Sql


async def events_of(sql: Sql, listing_id: str) -> list[tuple[str, int]]:
    rows = await sql.rows("SELECT kind, version FROM search_events WHERE listing_id = $1 ORDER BY id", UUID(listing_id))
    return [(row["kind"], row["version"]) for row in rows]


async def has_card(sql: Sql, listing_id: str) -> bool:
    return bool(await sql.value("SELECT count(*) FROM listing_cards WHERE listing_id = $1", UUID(listing_id)))


class TestOutbox:
    async def test_tells_of_every_change(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        made = (await make_listing(seller, sql, publish=False))["id"]
        await seller.patch(f"/listings/{made}", {"title": "A better title"})
        await seller.post(f"/listings/{made}/publish")
        await seller.patch(f"/listings/{made}", {"title": "The best title"})
        await seller.post(f"/listings/{made}/unpublish")
        await seller.delete(f"/listings/{made}")
        assert [kind.removeprefix("listing.") for kind, _ in await events_of(sql, made)] == [
            "created",  # as a draft
            "updated",
            "created",  # as something to be found
            "updated",
            "deleted",  # to be found no more
            "deleted",
        ]
        versions = [version for _, version in await events_of(sql, made)]
        assert versions == sorted(set(versions))

    async def test_a_refused_change_tells_nothing(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        made = (await make_listing(seller, sql))["id"]
        before = await events_of(sql, made)
        assert (await seller.patch(f"/listings/{made}", {"title": "x"})).status_code == 422
        assert (await seller.post(f"/listings/{made}/publish")).status_code == 409
        assert await events_of(sql, made) == before

    async def test_is_written_with_the_change_or_not_at_all(self, people: People, sql: Sql, runtime: Runtime) -> None:
        seller = await people.new()
        made = (await make_listing(seller, sql))["id"]
        before = await events_of(sql, made)
        unit: OpenUnit = runtime.unit_of_work.open()
        publish(unit.session, ListingChanged(UUID(made), UUID(seller.id)))
        await runtime.bus.settle(unit.session)
        count = await unit.session.connection()
        assert (await count.exec_driver_sql("SELECT count(*) FROM search_events WHERE processed_at IS NULL")).scalar()
        await unit.close()
        assert await events_of(sql, made) == before

    async def test_a_blocked_sellers_listings_are_told_of(self, people: People, sql: Sql, runtime: Runtime) -> None:
        seller = await people.new()
        made = (await make_listing(seller, sql))["id"]
        async with runtime.unit_of_work() as session:
            await users.block(session, UUID(seller.id))
        assert "listing.deleted" in {kind for kind, _ in await events_of(sql, made)}


class TestProjection:
    async def test_many_listings_cost_what_one_does(self, people: People, sql: Sql, runtime: Runtime) -> None:
        seller = await people.new()
        made = [(await make_listing(seller, sql))["id"] for _ in range(6)]

        async def statements(listing_ids: list[str]) -> int:
            seen: list[str] = []

            def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
                seen.append(statement)

            engine = runtime.database.engine.sync_engine
            event.listen(engine, "before_cursor_execute", note)
            try:
                async with runtime.unit_of_work() as session:
                    for listing_id in listing_ids:
                        publish(session, ListingChanged(UUID(listing_id), UUID(seller.id)))
            finally:
                event.remove(engine, "before_cursor_execute", note)
            return len(seen)

        assert await statements(made) == await statements(made[:1])

    async def test_an_older_version_never_overwrites_a_newer_one(
        self, people: People, sql: Sql, runtime: Runtime
    ) -> None:
        seller = await people.new()
        made = (await make_listing(seller, sql))["id"]
        await sql.execute(
            "UPDATE listing_cards SET version = 99, status = 'RESERVED' WHERE listing_id = $1", UUID(made)
        )
        async with runtime.unit_of_work() as session:
            publish(session, ListingChanged(UUID(made), UUID(seller.id)))
        assert await sql.value("SELECT status FROM listing_cards WHERE listing_id = $1", UUID(made)) == "RESERVED"

    async def test_cards_exist_for_what_is_shown_only(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        made = (await make_listing(seller, sql, publish=False))["id"]
        assert not await has_card(sql, made)
        await seller.post(f"/listings/{made}/publish")
        assert await has_card(sql, made)
        await seller.post(f"/listings/{made}/sold")
        assert await has_card(sql, made)
        assert await sql.value("SELECT browsable FROM listing_cards WHERE listing_id = $1", UUID(made)) is False

    @pytest.mark.parametrize("text", ["\u0000", "' : \\ & |", "a" * 5000, "слово " * 800, "1.5e3 -- x@y.az https://z"])
    async def test_any_text_can_be_indexed(self, people: People, sql: Sql, text: str) -> None:
        seller = await people.new()
        if "\u0000" in text:
            reply = await seller.post("/listings", {"title": "Fine title", "description": text})
            assert reply.status_code == 422
            return
        made = await make_listing(seller, sql, description=text[:5000])
        assert await has_card(sql, made["id"])


class TestConsumer:
    async def test_takes_in_every_change_once_and_learns_the_words(
        self, people: People, sql: Sql, runtime: Runtime
    ) -> None:
        await make_listing(await people.new(), sql, title="Kəhrəba rəngli xalça")
        await consume_search_events.run(runtime)
        assert await sql.value("SELECT count(*) FROM search_events WHERE processed_at IS NULL") == 0
        assert await sql.value("SELECT count(*) FROM search_words WHERE word = ANY($1)", ["kehreba", "xalca"]) == 2
        await make_listing(await people.new(), sql, title="Firuzəyi rəngli xalça")
        await consume_search_events.run(runtime)
        assert await sql.value("SELECT count(*) FROM search_words WHERE word = ANY($1)", ["firuzeyi", "xalca"]) == 2
        async with runtime.unit_of_work() as session:
            assert await consume(session) == 0

    async def test_a_crash_before_the_commit_hands_them_over_again(
        self, people: People, sql: Sql, runtime: Runtime
    ) -> None:
        await make_listing(await people.new(), sql)
        unit = runtime.unit_of_work.open()
        assert await consume(unit.session) > 0
        await unit.close()
        assert await sql.value("SELECT count(*) FROM search_events WHERE processed_at IS NULL") > 0
        async with runtime.unit_of_work() as session:
            assert await consume(session) > 0

    async def test_two_consumers_never_take_the_same(self, people: People, sql: Sql, runtime: Runtime) -> None:
        await make_listing(await people.new(), sql)
        async with runtime.unit_of_work() as one, runtime.unit_of_work() as other:
            mine = {item.id for item in await queries.claim_events(one, 100)}
            theirs = {item.id for item in await queries.claim_events(other, 100)}
        assert mine
        assert not mine & theirs

    async def test_forgets_what_was_taken_in_a_day_ago(self, people: People, sql: Sql, runtime: Runtime) -> None:
        made = (await make_listing(await people.new(), sql))["id"]
        await consume_search_events.run(runtime)
        await sql.execute("UPDATE search_events SET processed_at = now() - interval '25 hours'")
        fresh = (await make_listing(await people.new(), sql))["id"]
        await prune_search_events.run(runtime)
        assert (await events_of(sql, made), len(await events_of(sql, fresh)) > 0) == ([], True)
