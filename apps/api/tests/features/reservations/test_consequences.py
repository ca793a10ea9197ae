"""What a listing's moves, a block and the passing of time do to reservations."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from memi.listings import service as listings
from memi.platform.runtime import Runtime
from memi.reservations import service
from memi.reservations.jobs import expire_reservations
from memi.users import service as users
from support.deals import Deal, Deals
from support.people import People

RunJobs = Callable[[], Awaitable[None]]


async def seen(deal: Deal) -> tuple[str, str | None]:
    body = (await deal.seller.get(f"/reservations/{deal.id}")).json()
    return body["status"], body["ended_because"]


async def lapse(deal: Deal, deals: Deals) -> None:
    await deals.sql.execute(
        "UPDATE reservations SET expires_at = now() - interval '1 second' WHERE id = $1", UUID(deal.id)
    )


class TestListingMoves:
    async def test_unreserve_cancels_the_accepted_one_and_another_can_be_accepted(
        self, people: People, deals: Deals
    ) -> None:
        deal = await deals.accepted()
        waiting = await deals.request(deal.item, await people.new(), deal.seller)
        assert (await deal.seller.post(f"/listings/{deal.item}/unreserve")).status_code == 200
        assert await seen(deal) == ("CANCELLED", "unreserved")
        assert await seen(waiting) == ("REQUESTED", None)
        await waiting.must(deal.seller, "accept")

    async def test_sold_completes_the_holders_and_closes_the_rest(self, people: People, deals: Deals) -> None:
        deal = await deals.accepted()
        waiting = await deals.request(deal.item, await people.new(), deal.seller)
        assert (await deal.seller.post(f"/listings/{deal.item}/sold")).status_code == 200
        assert await seen(deal) == ("COMPLETED", "sold")
        assert await seen(waiting) == ("CANCELLED", "sold")

    async def test_sold_to_somebody_else_closes_all(self, deals: Deals) -> None:
        deal = await deals.new()
        assert (await deal.seller.post(f"/listings/{deal.item}/sold")).status_code == 200
        assert await seen(deal) == ("CANCELLED", "sold")

    async def test_unpublish_closes_requests(self, deals: Deals) -> None:
        deal = await deals.new()
        assert (await deal.seller.post(f"/listings/{deal.item}/unpublish")).status_code == 200
        assert await seen(deal) == ("CANCELLED", "unpublished")

    @pytest.mark.parametrize(("move", "because"), [("delete", "deleted"), ("remove", "removed")])
    async def test_what_is_taken_down_closes_everything(
        self, people: People, deals: Deals, runtime: Runtime, move: str, because: str
    ) -> None:
        deal = await deals.accepted()
        waiting = await deals.request(deal.item, await people.new(), deal.seller)
        if move == "delete":
            assert (await deal.seller.delete(f"/listings/{deal.item}")).status_code < 300
        else:
            async with runtime.unit_of_work() as session:
                await listings.remove(session, UUID(deal.item))
        assert await seen(deal) == await seen(waiting) == ("CANCELLED", because)
        assert await deals.hold(deal.item) is None

    async def test_the_end_of_the_listings_days_closes_requests(
        self, deals: Deals, runtime: Runtime, run_jobs: RunJobs
    ) -> None:
        from memi.listings.jobs import expire_listings

        deal = await deals.new()
        await deals.sql.execute("UPDATE listings SET expires_at = now() WHERE id = $1", UUID(deal.item))
        await expire_listings.run(runtime)
        assert await seen(deal) == ("CANCELLED", "listing_expired")

    async def test_the_lines_of_what_was_closed_follow_once(
        self, people: People, deals: Deals, run_jobs: RunJobs
    ) -> None:
        deal = await deals.accepted()
        waiting = await deals.request(deal.item, await people.new(), deal.seller)
        await deal.seller.post(f"/listings/{deal.item}/sold")
        await run_jobs()
        await run_jobs()
        assert await deals.lines(deal) == ["reservation.requested", "reservation.accepted", "reservation.completed"]
        assert await deals.lines(waiting) == ["reservation.requested", "reservation.cancelled"]


class TestBlocks:
    async def test_of_the_seller_ends_everything(self, people: People, deals: Deals, runtime: Runtime) -> None:
        deal = await deals.accepted()
        waiting = await deals.request(deal.item, await people.new(), deal.seller)
        async with runtime.unit_of_work() as session:
            await users.block(session, UUID(deal.seller.id))
        for one in (deal, waiting):
            body = (await one.buyer.get(f"/reservations/{one.id}")).json()
            assert (body["status"], body["ended_because"]) == ("CANCELLED", "seller_blocked")
        assert await deals.hold(deal.item) is None

    async def test_of_the_buyer_ends_theirs_alone(self, people: People, deals: Deals, runtime: Runtime) -> None:
        deal = await deals.accepted()
        waiting = await deals.request(deal.item, await people.new(), deal.seller)
        async with runtime.unit_of_work() as session:
            await users.block(session, UUID(deal.buyer.id))
        assert await seen(deal) == ("CANCELLED", "buyer_blocked")
        assert await seen(waiting) == ("REQUESTED", None)
        assert await deals.listing_status(deal.item) == "ACTIVE"


class TestTime:
    async def test_a_request_lapses(self, deals: Deals, runtime: Runtime, run_jobs: RunJobs) -> None:
        deal, other = await deals.new(), await deals.new()
        await lapse(deal, deals)
        await expire_reservations.run(runtime)
        assert await seen(deal) == ("EXPIRED", "lapsed")
        assert await seen(other) == ("REQUESTED", None)
        await run_jobs()
        assert await deals.lines(deal) == ["reservation.requested", "reservation.expired"]

    async def test_a_hold_lapses_and_another_may_be_accepted(
        self, people: People, deals: Deals, runtime: Runtime
    ) -> None:
        deal = await deals.accepted()
        waiting = await deals.request(deal.item, await people.new(), deal.seller)
        await lapse(deal, deals)
        await expire_reservations.run(runtime)
        assert await seen(deal) == ("EXPIRED", "lapsed")
        assert await deals.listing_status(deal.item) == "ACTIVE"
        await waiting.must(deal.seller, "accept")

    async def test_nobody_moves_what_has_lapsed_even_before_it_is_swept(self, deals: Deals) -> None:
        deal = await deals.new()
        await lapse(deal, deals)
        status, problem = await deal.move(deal.seller, "accept")
        assert (status, problem["current_status"], problem["allowed_moves"]) == (409, "EXPIRED", [])
        assert await deals.listing_status(deal.item) == "ACTIVE"

    async def test_what_is_not_over_is_left_alone(self, deals: Deals, runtime: Runtime) -> None:
        deal = await deals.new()
        async with runtime.unit_of_work() as session:
            assert await service.expire(session, UUID(deal.id)) is False
        assert await seen(deal) == ("REQUESTED", None)

    async def test_more_than_a_batch(self, people: People, deals: Deals, runtime: Runtime) -> None:
        seller, buyer = await people.new(), await people.new()
        many = [await deals.request(await deals.item(seller), buyer, seller) for _ in range(5)]
        for deal in many:
            await lapse(deal, deals)
        await expire_reservations.run(runtime)
        assert [await deal.status() for deal in many] == ["EXPIRED"] * 5
