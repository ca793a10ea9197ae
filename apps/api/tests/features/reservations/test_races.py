"""People who do things at once: one wins, the rest hear why not, and the data stays whole."""

import asyncio
from collections import Counter
from uuid import UUID

from httpx import Response

from memi.platform.runtime import Runtime
from memi.reservations.jobs import expire_reservations
from support.deals import Deal, Deals
from support.people import People

CROWD = 50


async def assert_whole(deals: Deals, item: str) -> None:
    """RESERVED exactly with a hold, and the hold of a reservation is the ACCEPTED one's."""
    status, hold = await deals.listing_status(item), await deals.hold(item)
    accepted = await deals.sql.rows(
        "SELECT id FROM reservations WHERE listing_id = $1 AND status = 'ACCEPTED'", UUID(item)
    )
    assert (status == "RESERVED") == (hold is not None)
    assert [str(row["id"]) for row in accepted] == ([hold] if hold else [])
    if status == "SOLD":
        open_ones = "SELECT count(*) FROM reservations WHERE listing_id = $1 AND status IN ('REQUESTED', 'ACCEPTED')"
        assert await deals.sql.value(open_ones, UUID(item)) == 0


async def crowd(deals: Deals, people: People, size: int) -> list[Deal]:
    seller = await people.new("Murad")
    item = await deals.item(seller)
    return [await deals.request(item, await people.new(), seller) for _ in range(size)]


async def test_of_fifty_accepts_at_once_one_wins(deals: Deals, people: People) -> None:
    asked = await crowd(deals, people, CROWD)
    outcomes = await asyncio.gather(*(deal.move(deal.seller, "accept") for deal in asked))
    assert Counter(status for status, _ in outcomes) == {200: 1, 409: CROWD - 1}
    assert {body["code"] for status, body in outcomes if status == 409} == {"listing_unavailable"}
    winner = next(body["id"] for status, body in outcomes if status == 200)
    assert [deal.id for deal in asked if await deal.status() == "ACCEPTED"] == [winner]
    assert Counter([await deal.status() for deal in asked]) == {"ACCEPTED": 1, "REQUESTED": CROWD - 1}
    await assert_whole(deals, asked[0].item)


async def test_one_request_accepted_by_two_hands(deals: Deals) -> None:
    deal = await deals.new()
    outcomes = await asyncio.gather(*(deal.move(deal.seller, "accept") for _ in range(8)))
    assert Counter(status for status, _ in outcomes) == {200: 1, 409: 7}
    assert await deals.lines(deal) == ["reservation.requested", "reservation.accepted"]


async def test_the_same_wish_sent_many_times_is_one_request(deals: Deals, people: People) -> None:
    item = await deals.item(await people.new())
    buyer = await people.new()
    replies = await asyncio.gather(*(buyer.post(f"/listings/{item}/reservations", {}) for _ in range(8)))
    assert Counter(reply.status_code for reply in replies) == {201: 1, 409: 7}
    assert {reply.json()["code"] for reply in replies if reply.status_code == 409} == {"reservation_exists"}


async def test_accept_against_cancel(deals: Deals) -> None:
    for _ in range(5):
        deal = await deals.new()
        accepted, cancelled = await asyncio.gather(deal.move(deal.seller, "accept"), deal.move(deal.buyer, "cancel"))
        # Cancelling wins always, as it may also follow the acceptance; accepting is refused when it comes second.
        assert cancelled[0] == 200
        assert accepted[0] in (200, 409)
        assert await deal.status() == "CANCELLED"
        await assert_whole(deals, deal.item)


async def test_accept_against_sold(deals: Deals, people: People) -> None:
    for _ in range(5):
        deal, other = await crowd(deals, people, 2)
        outcomes = await asyncio.gather(
            deal.move(deal.seller, "accept"), deal.seller.post(f"/listings/{deal.item}/sold")
        )
        sold = outcomes[1]
        assert isinstance(sold, Response)
        assert sold.status_code == 200, sold.text
        assert outcomes[0][0] in (200, 409)
        assert await deal.status() == ("COMPLETED" if outcomes[0][0] == 200 else "CANCELLED")
        assert await other.status() == "CANCELLED"
        await assert_whole(deals, deal.item)


async def test_request_against_unpublish(deals: Deals, people: People) -> None:
    for _ in range(5):
        seller, buyer = await people.new(), await people.new()
        item = await deals.item(seller)
        asked, hidden = await asyncio.gather(
            buyer.post(f"/listings/{item}/reservations", {}), seller.post(f"/listings/{item}/unpublish")
        )
        assert hidden.status_code == 200
        assert asked.status_code in (201, 404, 409)
        still_open = "SELECT count(*) FROM reservations WHERE listing_id = $1 AND status = 'REQUESTED'"
        assert await deals.sql.value(still_open, UUID(item)) == 0


async def test_the_clock_against_complete(deals: Deals, runtime: Runtime) -> None:
    for _ in range(5):
        deal = await deals.accepted()
        await deals.sql.execute(
            "UPDATE reservations SET expires_at = clock_timestamp() + interval '5 ms' WHERE id = $1", UUID(deal.id)
        )
        await asyncio.sleep(0.004)
        (status, _), _ = await asyncio.gather(deal.move(deal.seller, "complete"), expire_reservations.run(runtime))
        await expire_reservations.run(runtime)
        assert await deal.status() == ("COMPLETED" if status == 200 else "EXPIRED")
        await assert_whole(deals, deal.item)
