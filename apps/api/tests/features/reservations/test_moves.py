"""Accept, reject, cancel, complete: who may, when, and what becomes of the item."""

import httpx
import pytest

from support.deals import Deal, Deals
from support.people import People

MOVES = ("accept", "reject", "cancel", "complete")


async def unchanged(deal: Deal, deals: Deals, status: str, listing: str) -> None:
    assert await deal.status() == status
    assert await deals.listing_status(deal.item) == listing


@pytest.mark.parametrize("move", MOVES)
class TestEveryMove:
    async def test_anonymous_and_stranger(
        self, client: httpx.AsyncClient, people: People, deals: Deals, move: str
    ) -> None:
        deal = await deals.new()
        assert (await client.post(f"/api/v1/reservations/{deal.id}/{move}")).status_code == 401
        status, problem = await deal.move(await people.new(), move)
        assert (status, problem["code"]) == (404, "not_found")
        moderator = await people.moderator()
        assert (await deal.move(moderator, move))[0] == 404
        await unchanged(deal, deals, "REQUESTED", "ACTIVE")

    async def test_of_a_version_that_is_gone(self, deals: Deals, move: str) -> None:
        deal = await deals.new() if move != "complete" else await deals.accepted()
        before = await deal.status()
        person = deal.buyer if move == "cancel" else deal.seller
        status, problem = await deal.move(person, move, headers={"If-Match": '"9"'})
        assert (status, problem["code"]) == (412, "stale_version")
        assert await deal.status() == before

    async def test_of_the_present_version(self, deals: Deals, move: str) -> None:
        deal = await deals.new() if move != "complete" else await deals.accepted()
        person = deal.buyer if move == "cancel" else deal.seller
        tag = (await person.get(f"/reservations/{deal.id}")).headers["etag"]
        reply = await person.post(f"/reservations/{deal.id}/{move}", headers={"If-Match": tag})
        assert reply.status_code == 200
        assert reply.headers["etag"] == f'"{int(tag.strip(chr(34))) + 1}"'

    async def test_of_what_has_ended(self, deals: Deals, move: str) -> None:
        deal = await deals.new()
        await deal.must(deal.seller, "reject")
        person = deal.buyer if move == "cancel" else deal.seller
        status, problem = await deal.move(person, move)
        assert (status, problem["code"]) == (409, "illegal_transition")
        assert (problem["current_status"], problem["allowed_moves"]) == ("REJECTED", [])
        await unchanged(deal, deals, "REJECTED", "ACTIVE")


@pytest.mark.parametrize("move", ["accept", "reject", "complete"])
async def test_the_buyer_does_not_decide(deals: Deals, move: str) -> None:
    deal = await deals.new()
    status, problem = await deal.move(deal.buyer, move)
    assert (status, problem["code"]) == (403, "not_your_move")
    await unchanged(deal, deals, "REQUESTED", "ACTIVE")


class TestAccept:
    async def test_takes_the_one_hold(self, deals: Deals) -> None:
        deal = await deals.new()
        made = await deal.must(deal.seller, "accept")
        assert made["status"] == "ACCEPTED"
        assert made["listing"]["status"] == "RESERVED"
        assert made["accepted_at"] is not None
        assert await deals.hold(deal.item) == deal.id
        held = (
            "SELECT extract(epoch FROM h.expires_at - now()) / 3600 FROM listing_holds h WHERE reference_id = $1::uuid"
        )
        assert abs(float(await deals.sql.value(held, deal.id)) - 72) < 0.01
        assert await deals.lines(deal) == ["reservation.requested", "reservation.accepted"]

    async def test_while_it_is_held_for_another_the_request_waits(self, people: People, deals: Deals) -> None:
        first = await deals.accepted()
        second = await deals.request(first.item, await people.new(), first.seller)
        status, problem = await second.move(first.seller, "accept")
        assert (status, problem["code"]) == (409, "listing_unavailable")
        assert problem["current_status"] == "RESERVED"
        assert await second.status() == "REQUESTED"
        assert await deals.hold(first.item) == first.id

    async def test_while_the_seller_keeps_it_by_hand(self, deals: Deals) -> None:
        deal = await deals.new()
        assert (await deal.seller.post(f"/listings/{deal.item}/reserve")).status_code == 200
        assert (await deal.move(deal.seller, "accept"))[0] == 409
        assert await deal.status() == "REQUESTED"


class TestReject:
    async def test_ends_the_request_alone(self, deals: Deals) -> None:
        deal = await deals.new()
        assert (await deal.must(deal.seller, "reject"))["status"] == "REJECTED"
        assert await deals.listing_status(deal.item) == "ACTIVE"
        assert await deals.lines(deal) == ["reservation.requested", "reservation.rejected"]

    async def test_an_accepted_one_is_cancelled_instead(self, deals: Deals) -> None:
        deal = await deals.accepted()
        status, problem = await deal.move(deal.seller, "reject")
        assert status == 409
        assert problem["allowed_moves"] == ["cancel", "complete"]


class TestCancel:
    async def test_a_request_is_the_buyers_to_take_back(self, deals: Deals) -> None:
        deal = await deals.new()
        status, problem = await deal.move(deal.seller, "cancel")
        assert (status, problem["allowed_moves"]) == (409, ["accept", "reject"])
        assert (await deal.must(deal.buyer, "cancel"))["status"] == "CANCELLED"

    @pytest.mark.parametrize("side", ["buyer", "seller"])
    async def test_either_side_calls_off_what_was_accepted(self, people: People, deals: Deals, side: str) -> None:
        deal = await deals.accepted()
        waiting = await deals.request(deal.item, await people.new(), deal.seller)
        made = await deal.must(getattr(deal, side), "cancel")
        assert made["status"] == "CANCELLED"
        assert made["listing"]["status"] == "ACTIVE"
        assert await deals.hold(deal.item) is None
        assert await deals.lines(deal) == ["reservation.requested", "reservation.accepted", "reservation.cancelled"]
        await waiting.must(deal.seller, "accept")
        assert await deals.hold(deal.item) == waiting.id


class TestComplete:
    async def test_sells_it_and_closes_the_rest(self, people: People, deals: Deals) -> None:
        deal = await deals.accepted()
        waiting = await deals.request(deal.item, await people.new(), deal.seller)
        made = await deal.must(deal.seller, "complete")
        assert made["status"] == "COMPLETED"
        assert made["listing"]["status"] == "SOLD"
        assert await deals.hold(deal.item) is None
        closed = (await waiting.buyer.get(f"/reservations/{waiting.id}")).json()
        assert (closed["status"], closed["ended_because"]) == ("CANCELLED", "sold")

    async def test_a_request_must_be_accepted_first(self, deals: Deals) -> None:
        deal = await deals.new()
        status, problem = await deal.move(deal.seller, "complete")
        assert (status, problem["allowed_moves"]) == (409, ["accept", "reject"])
        await unchanged(deal, deals, "REQUESTED", "ACTIVE")
