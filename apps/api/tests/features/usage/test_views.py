"""Views are counted: each visitor once per listing and day, all of them, none twice."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from features.usage.conftest import PHONE, Visits
from memi.listings import viewing
from memi.listings.viewing import count_views
from memi.platform.runtime import Runtime
from memi.usage import queries, service
from memi.usage.jobs import forget_days
from memi.usage.schemas import EventRow
from support.items import make_listing
from support.people import People
from support.sql import Sql


def view(listing_id: str, visitor: bytes) -> EventRow:
    return EventRow(uuid4(), "LISTING_VIEW", UUID(listing_id), None, None, None, None, visitor, None, "{}")


async def test_a_visitor_counts_once_a_day_and_the_seller_never(visits: Visits, people: People, sql: Sql) -> None:
    seller = await people.new("Murad")
    listing, other = [await make_listing(seller, sql) for _ in range(2)]
    assert await visits.count(listing["id"]) == 0
    for _ in range(3):
        await visits.read(listing["id"])
        await visits.read(listing["id"], seller)
    assert await visits.count(listing["id"]) == 1
    await visits.read(listing["id"])
    await visits.read(other["id"])
    assert await visits.count(listing["id"]) == 1
    await visits.read(listing["id"], headers=PHONE)
    assert await visits.count(listing["id"]) == 2
    assert await visits.count(other["id"]) == 1


async def test_the_next_day_they_count_again(visits: Visits, runtime: Runtime, people: People, sql: Sql) -> None:
    """Days are those of the events, whenever they are counted."""
    listing = await make_listing(await people.new("Murad"), sql)
    await count_views.run(runtime)
    await sql.execute("UPDATE usage_watermarks SET upto = upto - interval '3 days' WHERE reader = 'views'")
    insert = """
        INSERT INTO usage_events (id, at, kind, listing_id, visitor)
        SELECT gen_random_uuid(), date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - shift,
            'LISTING_VIEW', $1, decode(repeat('ab', 16), 'hex')
        FROM unnest(ARRAY[interval '25 hours', interval '1 minute', interval '2 minutes']) AS shift
    """
    await sql.value("SELECT usage_make_partition((now() - interval '3 days')::date)")
    await sql.execute(insert, UUID(listing["id"]))
    assert await visits.count(listing["id"]) == 2


async def test_counting_changes_the_number_and_nothing_else_of_a_listing(
    visits: Visits, people: People, sql: Sql, client: httpx.AsyncClient
) -> None:
    listing = await make_listing(await people.new("Murad"), sql)
    before = await sql.rows("SELECT * FROM listings WHERE id = $1", UUID(listing["id"]))
    cards = await sql.rows("SELECT * FROM listing_cards WHERE listing_id = $1", UUID(listing["id"]))
    first = await visits.read(listing["id"])
    assert await visits.count(listing["id"]) == 1
    second = await visits.read(listing["id"])
    assert second.json() == {**first.json(), "view_count": 1}
    assert second.headers["etag"].partition("-")[0] == first.headers["etag"].partition("-")[0]
    assert second.headers["etag"] != first.headers["etag"]
    assert await sql.rows("SELECT * FROM listings WHERE id = $1", UUID(listing["id"])) == before
    assert await sql.rows("SELECT * FROM listing_cards WHERE listing_id = $1", UUID(listing["id"])) == cards


async def test_what_dies_in_the_middle_has_counted_nothing(
    visits: Visits, runtime: Runtime, people: People, sql: Sql
) -> None:
    listing = await make_listing(await people.new("Murad"), sql)
    await visits.read(listing["id"])
    await visits.recorder.flush()

    async def die() -> None:
        async with runtime.unit_of_work() as session:
            upto = await service.all_written(session)
        async with runtime.unit_of_work() as session:
            views = await service.take_views(session, upto, 1000)
            assert views.by_listing[UUID(listing["id"])] == 1
            raise RuntimeError("killed")

    for _ in range(2):
        with pytest.raises(RuntimeError, match="killed"):
            await die()
    assert await visits.count(listing["id"]) == 1


async def test_events_that_are_still_being_written_are_waited_for(
    visits: Visits, runtime: Runtime, people: People, sql: Sql
) -> None:
    """They have earlier times than the end of their transaction; a count that did not wait would miss them for good."""
    listing = await make_listing(await people.new("Murad"), sql)
    unit = runtime.unit_of_work.open()
    await queries.enter(unit.session)
    await queries.add(unit.session, [view(listing["id"], b"v" * 16)])
    counting = asyncio.ensure_future(count_views.run(runtime))
    await asyncio.sleep(0.3)
    assert not counting.done()
    await unit.commit()
    await unit.close()
    await counting
    assert await visits.count(listing["id"]) == 1


async def test_counted_by_many_at_once_while_many_write_the_sum_is_right(
    visits: Visits, runtime: Runtime, people: People, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In small batches, so that counts and writers meet often."""
    monkeypatch.setattr(viewing, "BATCH", 7)
    seller = await people.new("Murad")
    listings = [(await make_listing(seller, sql))["id"] for _ in range(3)]
    visitors = [bytes([number]) * 16 for number in range(20)]
    writing = 4

    async def write() -> None:
        nonlocal writing
        for number in range(60):
            async with runtime.unit_of_work() as session:
                await queries.enter(session)
                rows = [view(listing_id, visitors[(number * 7 + at) % 20]) for at, listing_id in enumerate(listings)]
                await queries.add(session, rows)
        writing -= 1

    async def count() -> None:
        while writing:
            await count_views.run(runtime)

    await asyncio.gather(*(write() for _ in range(4)), *(count() for _ in range(3)))
    assert [await visits.count(listing_id) for listing_id in listings] == [20, 20, 20]


async def test_favourites_and_views_are_counted_side_by_side(
    visits: Visits, runtime: Runtime, people: People, sql: Sql
) -> None:
    seller = await people.new("Murad")
    listings = [(await make_listing(seller, sql))["id"] for _ in range(4)]
    fans = [await people.new() for _ in range(4)]

    async def like(fan: Any) -> None:
        for listing_id in listings:
            assert (await fan.put(f"/listings/{listing_id}/favorite")).status_code == 204

    async def look(number: int) -> None:
        async with runtime.unit_of_work() as session:
            await queries.enter(session)
            await queries.add(session, [view(listing_id, bytes([number]) * 16) for listing_id in reversed(listings)])
        await count_views.run(runtime)

    await asyncio.gather(*(like(fan) for fan in fans), *(look(number) for number in range(6)))
    for listing_id in listings:
        assert await visits.count(listing_id) == 6
        assert (await visits.read(listing_id)).json()["favorite_count"] == 4


async def test_days_that_are_over_are_forgotten_but_not_before_they_are_counted(
    visits: Visits, runtime: Runtime, people: People, sql: Sql
) -> None:
    listing = await make_listing(await people.new("Murad"), sql)
    await visits.read(listing["id"])
    assert await visits.count(listing["id"]) == 1
    old = """
        INSERT INTO usage_viewers (day, listing_id, visitor)
        SELECT (now() AT TIME ZONE 'UTC')::date - n, $1, decode(repeat('cd', 16), 'hex') FROM generate_series(0, 4) AS n
    """
    await sql.execute(old, UUID(listing["id"]))
    await sql.execute("INSERT INTO usage_day_salts SELECT (now() AT TIME ZONE 'UTC')::date - 1, sha256('x')")
    days = "SELECT (now() AT TIME ZONE 'UTC')::date - day AS ago FROM usage_viewers WHERE visitor = $1 ORDER BY 1"
    mark = await sql.value("SELECT upto FROM usage_watermarks WHERE reader = 'views'")
    await sql.execute("UPDATE usage_watermarks SET upto = upto - interval '2 days' WHERE reader = 'views'")
    await forget_days.run(runtime)
    assert [row["ago"] for row in await sql.rows(days, b"\xcd" * 16)] == [0, 1, 2, 3]
    await sql.execute("UPDATE usage_watermarks SET upto = $1 WHERE reader = 'views'", mark)
    await forget_days.run(runtime)
    assert [row["ago"] for row in await sql.rows(days, b"\xcd" * 16)] == [0, 1]
    assert await sql.value("SELECT array_agg(day = (now() AT TIME ZONE 'UTC')::date) FROM usage_day_salts") == [True]
