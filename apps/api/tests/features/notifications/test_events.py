"""Who hears of what: each event reaches the right people once."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import msgspec
import pytest

from memi import parts
from memi.listings import service as listings
from memi.listings.events import ListingExpiring, PriceDropped
from memi.notifications import fanout
from memi.notifications.handlers import recipients
from memi.platform import job_queue
from memi.platform.events import Envelope, publish
from memi.platform.ids import new_id
from memi.platform.job_runner import JobRunner
from memi.platform.runtime import Runtime
from memi.reservations.events import ReservationChanged
from memi.reservations.jobs import expire_reservations
from memi.users import service as users
from support.deals import Deals
from support.people import People, Person
from support.sql import Sql

RunJobs = Callable[[], Awaitable[None]]


async def told(person: Person) -> list[dict[str, Any]]:
    """Oldest first."""
    return (await person.get("/notifications?limit=100")).json()["items"][::-1]


async def events(person: Person) -> list[str]:
    return [item["event"] for item in await told(person)]


class TestMessages:
    async def test_the_other_side_hears_once_of_each(self, people: People, deals: Deals, run_jobs: RunJobs) -> None:
        seller, buyer = await people.new("Murad"), await people.new("Leyla")
        item = await deals.item(seller)
        started = (await buyer.post(f"/listings/{item}/chat", {"body": "Hello"})).json()
        chat_id = started["chat"]["id"]
        body = {"body": "Hi", "client_id": "one"}
        for _ in range(2):
            assert (await seller.post(f"/chats/{chat_id}/messages", body)).status_code == 201
        await run_jobs()
        await run_jobs()
        heard = await told(seller)
        assert [(one["type"], one["event"]) for one in heard] == [("MESSAGE", "message.created")]
        data = heard[0]["data"]
        assert (data["chat_id"], data["listing_id"], data["message_id"]) == (chat_id, item, started["message"]["id"])
        assert (data["sender_id"], data["sender_name"], data["listing_title"]) == (buyer.id, "Leyla", "Wool coat")
        assert await events(buyer) == ["message.created"]


class TestReservations:
    async def test_every_move_reaches_the_other_side(self, deals: Deals, run_jobs: RunJobs) -> None:
        deal = await deals.new()
        await run_jobs()
        await deal.must(deal.seller, "accept")
        await run_jobs()
        await deal.must(deal.buyer, "cancel")
        await run_jobs()
        assert await events(deal.seller) == ["reservation.requested", "reservation.cancelled"]
        assert await events(deal.buyer) == ["reservation.accepted"]
        data = (await told(deal.seller))[0]
        assert data["type"] == "RESERVATION"
        assert data["data"]["reservation_id"] == deal.id
        assert data["data"]["other_name"] == "Leyla"

    async def test_a_lapse_reaches_both(self, deals: Deals, runtime: Runtime, run_jobs: RunJobs) -> None:
        deal = await deals.new()
        await deals.sql.execute("UPDATE reservations SET expires_at = now() WHERE id = $1", UUID(deal.id))
        await expire_reservations.run(runtime)
        await run_jobs()
        assert (await events(deal.seller))[-1] == (await events(deal.buyer))[-1] == "reservation.expired"

    async def test_what_the_sale_closed_reaches_the_buyers(
        self, people: People, deals: Deals, run_jobs: RunJobs
    ) -> None:
        deal = await deals.accepted()
        waiting = await deals.request(deal.item, await people.new(), deal.seller)
        await run_jobs()
        await deal.must(deal.seller, "complete")
        await run_jobs()
        assert await events(deal.buyer) == ["reservation.accepted", "reservation.completed"]
        assert [(one["event"], one["data"]["reason"]) for one in await told(waiting.buyer)] == [
            ("reservation.cancelled", "sold")
        ]
        assert await events(deal.seller) == ["reservation.requested", "reservation.requested"]

    @pytest.mark.parametrize(
        ("actor", "reason", "expected"),
        [
            ("buyer", None, {"seller"}),
            ("seller", None, {"buyer"}),
            (None, "lapsed", {"buyer", "seller"}),
            (None, "sold", {"buyer"}),
            (None, "removed", {"buyer"}),
            (None, "buyer_blocked", {"seller"}),
            (None, "seller_blocked", {"buyer"}),
        ],
    )
    def test_who_is_told(self, actor: str | None, reason: Any, expected: set[str]) -> None:
        ids = {"buyer": new_id(), "seller": new_id()}
        event = ReservationChanged(
            reservation_id=new_id(),
            listing_id=new_id(),
            chat_id=new_id(),
            buyer_id=ids["buyer"],
            seller_id=ids["seller"],
            change="cancelled",
            actor_id=ids[actor] if actor else None,
            reason=reason,
        )
        assert set(recipients(event)) == {ids[name] for name in expected}


class TestModeration:
    async def test_the_seller_hears_each_time(
        self, people: People, deals: Deals, runtime: Runtime, run_jobs: RunJobs
    ) -> None:
        seller = await people.new()
        item = await deals.item(seller)
        for move in (listings.remove, listings.restore, listings.remove):
            async with runtime.unit_of_work() as session:
                await move(session, UUID(item))
            await run_jobs()
        assert [(one["type"], one["event"]) for one in await told(seller)] == [
            ("MODERATION", "listing.restored"),
        ]

    async def test_of_an_account(self, people: People, runtime: Runtime, run_jobs: RunJobs, sql: Sql) -> None:
        person = await people.new()
        async with runtime.unit_of_work() as session:
            await users.block(session, UUID(person.id))
        async with runtime.unit_of_work() as session:
            await users.unblock(session, UUID(person.id))
        await run_jobs()
        rows = await sql.rows("SELECT event FROM notifications WHERE user_id = $1", UUID(person.id))
        assert sorted(row["event"] for row in rows) == ["account.unblocked"]


class TestListingsEnd:
    async def test_the_seller_hears_before_and_then(
        self, people: People, deals: Deals, runtime: Runtime, run_jobs: RunJobs, sql: Sql
    ) -> None:
        from memi.listings.jobs import expire_listings

        seller = await people.new()
        item = UUID(await deals.item(seller))
        async with runtime.unit_of_work() as session:
            publish(session, ListingExpiring(item, UUID(seller.id)))
        await run_jobs()
        await sql.execute("UPDATE listings SET expires_at = now() WHERE id = $1", item)
        await expire_listings.run(runtime)
        await run_jobs()
        assert await events(seller) == ["listing.expiring", "listing.expired"]


class TestFavouriters:
    async def fan(self, people: People, item: str) -> Person:
        fan = await people.new("Nigar")
        assert (await fan.put(f"/listings/{item}/favorite")).status_code == 204
        return fan

    async def test_hear_whether_it_can_be_had(self, people: People, deals: Deals, run_jobs: RunJobs) -> None:
        deal = await deals.new()
        fan, other = await self.fan(people, deal.item), await people.new()
        for person, path in (
            (deal.seller, f"/reservations/{deal.id}/accept"),
            (deal.buyer, f"/reservations/{deal.id}/cancel"),
            (deal.seller, f"/listings/{deal.item}/sold"),
        ):
            assert (await person.post(path)).status_code == 200
            await run_jobs()
        assert await events(fan) == ["listing.reserved", "listing.available", "listing.sold"]
        assert await events(other) == []

    async def test_the_holder_and_the_seller_know_already(
        self, people: People, deals: Deals, run_jobs: RunJobs
    ) -> None:
        deal = await deals.new()
        for person in (deal.buyer, deal.seller):
            await person.put(f"/listings/{deal.item}/favorite")
        await deal.must(deal.seller, "accept")
        await deal.must(deal.seller, "complete")
        await run_jobs()
        assert not any(event.startswith("listing.") for event in await events(deal.buyer) + await events(deal.seller))

    async def test_hear_of_a_lower_price(
        self, people: People, deals: Deals, runtime: Runtime, run_jobs: RunJobs
    ) -> None:

        seller = await people.new()
        item = await deals.item(seller)
        fan = await self.fan(people, item)
        async with runtime.unit_of_work() as session:
            publish(session, PriceDropped(UUID(item), UUID(seller.id), 5000, 4500))
        await run_jobs()
        heard = await told(fan)
        assert [one["event"] for one in heard] == ["listing.price_dropped"]
        assert (heard[0]["data"]["before"], heard[0]["data"]["after"]) == (5000, 4500)

    async def test_hear_nothing_of_what_was_taken_down_meanwhile(
        self, people: People, deals: Deals, runtime: Runtime, run_jobs: RunJobs
    ) -> None:
        seller = await people.new()
        item = await deals.item(seller)
        fan = await self.fan(people, item)
        async with runtime.unit_of_work() as session:
            publish(session, PriceDropped(UUID(item), UUID(seller.id), 5000, 4500))
        assert (await seller.post(f"/listings/{item}/unpublish")).status_code == 200
        await run_jobs()
        assert await told(fan) == []

    async def test_in_batches_that_may_be_run_again(
        self,
        people: People,
        deals: Deals,
        runtime: Runtime,
        run_jobs: RunJobs,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(fanout, "BATCH", 2)
        seller = await people.new()
        item = await deals.item(seller)
        fans = [await self.fan(people, item) for _ in range(5)]
        news = fanout.ListingNews(new_id(), UUID(item), "listing.sold", {}, [UUID(fans[0].id)])
        for _ in range(2):
            await fanout.tell_favouriters.run(news, runtime)
            await run_jobs()
        assert [await events(fan) for fan in fans] == [[], *[["listing.sold"]] * 4]


class TestOnce:
    async def test_an_event_whose_job_runs_again_is_told_once(
        self, people: People, deals: Deals, runtime: Runtime, run_jobs: RunJobs
    ) -> None:
        """As after a worker that died between its commit and telling the queue."""
        seller = await people.new()
        item = UUID(await deals.item(seller))
        event = ListingExpiring(item, UUID(seller.id))
        payload = msgspec.json.encode(Envelope(new_id(), msgspec.Raw(msgspec.json.encode(event))))
        name = "notifications.handlers.tell_of_coming_end"
        for _ in range(3):
            async with runtime.unit_of_work() as session:
                await job_queue.insert_jobs(session, [name], [payload], [0.0], [None])
            await JobRunner(runtime, parts.JOBS).drain()
        assert await events(seller) == ["listing.expiring"]
