"""What people do with listings is recorded once, with the deed."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from features.usage.conftest import Visits
from memi.platform.events import publish
from memi.platform.runtime import Runtime
from memi.reservations.events import ReservationChanged
from support.deals import Deals
from support.deals import deals as deals
from support.items import LEAF, make_listing
from support.orders import Orders
from support.orders import orders as orders
from support.people import People
from support.sql import Sql

RunJobs = Callable[[], Awaitable[None]]


async def kinds(visits: Visits, listing_id: str) -> list[str]:
    """Sorted, since deeds of different kinds are recorded by whichever worker comes first."""
    return sorted(event["kind"] for event in await visits.of_listing(listing_id))


async def test_publishing_and_selling(visits: Visits, people: People, sql: Sql, run_jobs: RunJobs) -> None:
    seller = await people.new("Murad")
    listing = await make_listing(seller, sql, publish=False)
    await run_jobs()
    assert await kinds(visits, listing["id"]) == []
    for move in ("publish", "unpublish", "publish", "sold"):
        assert (await seller.post(f"/listings/{listing['id']}/{move}")).status_code == 200
        await run_jobs()
    events = await visits.of_listing(listing["id"])
    assert [event["kind"] for event in events] == ["PUBLISH", "PUBLISH", "SOLD"]
    assert {event["category"] for event in events} == {LEAF}
    assert {event["person"] for event in events} == {None}
    assert len({event["visitor"] for event in events}) == 1


async def test_liking_once_however_often_it_is_said(
    visits: Visits, people: People, sql: Sql, run_jobs: RunJobs
) -> None:
    listing, person = await make_listing(await people.new("Murad"), sql, publish=True), await people.new()
    for _ in range(2):
        assert (await person.put(f"/listings/{listing['id']}/favorite")).status_code == 204
    await run_jobs()
    assert await kinds(visits, listing["id"]) == ["FAVORITE", "PUBLISH"]
    await person.delete(f"/listings/{listing['id']}/favorite")
    await run_jobs()
    assert await kinds(visits, listing["id"]) == ["FAVORITE", "PUBLISH"]


async def test_a_first_message_is_a_contact_and_the_next_is_none(
    visits: Visits, people: People, sql: Sql, run_jobs: RunJobs
) -> None:
    listing, person = await make_listing(await people.new("Murad"), sql), await people.new()
    for body in ("Salam", "Salam?"):
        reply = await person.post(f"/listings/{listing['id']}/chat", {"body": body})
        assert reply.status_code == 201
    await run_jobs()
    assert await kinds(visits, listing["id"]) == ["CONTACT", "PUBLISH"]


async def test_reservations_and_orders(visits: Visits, deals: Deals, orders: Orders, run_jobs: RunJobs) -> None:
    purchase, deal = await orders.of_reservation()
    await run_jobs()
    found = await kinds(visits, deal.item)
    assert found == ["CONTACT", "ORDER", "RESERVE"]
    await purchase.must(purchase.seller, "complete")
    await run_jobs()
    assert await kinds(visits, deal.item) == ["CONTACT", "ORDER", "RESERVE", "SOLD"]


async def test_a_deed_that_is_told_twice_is_recorded_once(
    visits: Visits, deals: Deals, sql: Sql, run_jobs: RunJobs
) -> None:
    """As when a worker dies after its work was committed and before the job was done with."""
    deal = await deals.new()
    again = """
        INSERT INTO pgqueuer (priority, entrypoint, payload, execute_after, status)
        SELECT 0, entrypoint, payload, now(), 'queued' FROM pgqueuer WHERE entrypoint LIKE 'recording.%'
    """
    assert await sql.execute(again) != "INSERT 0 0"
    await run_jobs()
    assert await kinds(visits, deal.item) == ["CONTACT", "RESERVE"]


async def test_a_deed_that_was_undone_was_never_recorded(
    visits: Visits, runtime: Runtime, deals: Deals, run_jobs: RunJobs
) -> None:
    deal = await deals.new()
    await run_jobs()
    before = await kinds(visits, deal.item)

    async def fail() -> None:
        async with runtime.unit_of_work() as session:
            event: Any = ReservationChanged(
                UUID(deal.id),
                UUID(deal.item),
                UUID(int=1),
                UUID(deal.buyer.id),
                UUID(deal.seller.id),
                "requested",
                None,
            )
            publish(session, event)
            raise RuntimeError("undone")

    with pytest.raises(RuntimeError, match="undone"):
        await fail()
    await run_jobs()
    assert await kinds(visits, deal.item) == before


async def test_who_consents_does_it_as_themselves(visits: Visits, people: People, sql: Sql, run_jobs: RunJobs) -> None:
    listing, person = await make_listing(await people.new("Murad"), sql), await people.new()
    await person.put("/users/me/usage-consent", {"consent": True})
    await person.put(f"/listings/{listing['id']}/favorite")
    await visits.read(listing["id"], person)
    await run_jobs()
    events = {event["kind"]: event for event in await visits.of_listing(listing["id"])}
    assert events["FAVORITE"]["person"] == events["LISTING_VIEW"]["person"] is not None
    assert events["PUBLISH"]["person"] is None
