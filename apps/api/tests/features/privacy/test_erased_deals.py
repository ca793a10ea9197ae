"""What is left at the other side of deals with somebody who is gone: the deal, and none of the words of who left."""

import asyncio
from uuid import UUID, uuid4

import pytest

from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.migrations import migrate
from support.deals import Deals
from support.leaving import Leaving
from support.leaving import leaving as leaving
from support.orders import Orders
from support.orders import orders as orders
from support.people import Person
from support.sql import Sql
from support.upgrades import database_at

ASKED, SAID = "My sister comes by on Friday", "My husband found another one"


async def asked_for(deals: Deals, buyer: Person, seller: Person) -> str:
    """The id of a buyer's request with words of the buyer's."""
    item = await deals.item(seller)
    reply = await buyer.post(f"/listings/{item}/reservations", {"message": ASKED})
    assert reply.status_code == 201, reply.text
    return reply.json()["id"]


class TestReservations:
    async def test_lose_what_the_buyer_wrote(self, deals: Deals, leaving: Leaving) -> None:
        buyer, seller = await leaving.people.new(), await leaving.people.new()
        requests = [await asked_for(deals, buyer, seller) for _ in range(2)]
        assert (await seller.post(f"/reservations/{requests[0]}/accept")).status_code == 200
        assert (await seller.get(f"/reservations/{requests[0]}")).json()["message"] == ASKED
        await leaving.gone(buyer)
        left = [(await seller.get(f"/reservations/{item}")).json() for item in requests]
        assert [(item["message"], item["buyer"]["name"]) for item in left] == [(None, "Deleted user")] * 2
        assert {item["ended_because"] for item in left} == {"buyer_deleted"}

    async def test_keep_what_the_other_side_wrote(self, deals: Deals, leaving: Leaving) -> None:
        buyer, seller = await leaving.people.new(), await leaving.people.new()
        request = await asked_for(deals, buyer, seller)
        await leaving.gone(seller)
        left = (await buyer.get(f"/reservations/{request}")).json()
        assert (left["message"], left["seller"]["name"]) == (ASKED, "Deleted user")


class TestOrders:
    @pytest.mark.parametrize("gone", ["buyer", "seller"])
    @pytest.mark.parametrize("said_by", ["buyer", "seller"])
    async def test_lose_the_reason_that_who_is_gone_gave_for_cancelling_and_no_others(
        self, orders: Orders, leaving: Leaving, sql: Sql, said_by: str, gone: str
    ) -> None:
        purchase = await orders.new()
        ended = await purchase.must(getattr(purchase, said_by), "cancel", {"reason": SAID})
        stays = purchase.buyer if gone == "seller" else purchase.seller
        await leaving.gone(getattr(purchase, gone))
        left = await purchase.read(stays)
        assert left["cancel_reason"] == (None if gone == said_by else SAID)
        assert left[gone]["name"] == "Deleted user"
        assert {name: left[name] for name in ("status", "title", "price", "version")} == {
            name: ended[name] for name in ("status", "title", "price", "version")
        }
        assert await sql.value("SELECT cancelled_by FROM orders WHERE id = $1", UUID(purchase.id)) == (said_by.upper())

    @pytest.mark.parametrize("gone", ["buyer", "seller"])
    async def test_lose_a_reason_of_before_it_was_known_whose_it_is(
        self, orders: Orders, leaving: Leaving, sql: Sql, gone: str
    ) -> None:
        purchase = await orders.new()
        await purchase.must(purchase.buyer, "cancel", {"reason": SAID})
        await sql.execute("UPDATE orders SET cancelled_by = NULL WHERE id = $1", UUID(purchase.id))
        await leaving.gone(getattr(purchase, gone))
        stays = purchase.buyer if gone == "seller" else purchase.seller
        assert (await purchase.read(stays))["cancel_reason"] is None


_USER = """
INSERT INTO users (id, email, name, deleted_at, erase_after, erased_at)
SELECT $1, $2, 'Deleted user', at, at, at FROM (SELECT CASE WHEN $3 THEN now() END AS at) AS gone
"""
_RESERVATION = """
INSERT INTO reservations (id, listing_id, buyer_id, seller_id, chat_id, status, message, expires_at)
VALUES ($1, $1, $2, $3, $1, 'CANCELLED', 'x', now())
"""
_ORDER = """
INSERT INTO orders (id, listing_id, buyer_id, seller_id, chat_id, status, delivery, title, price_amount, currency,
    cancel_reason) VALUES ($1, $1, $2, $3, $1, 'CANCELLED', 'MEETUP', 'Coat', 1000, 'AZN', 'x')
"""


async def test_an_upgrade_takes_the_words_of_those_who_were_erased_before(server: EmbeddedUrls) -> None:
    gone, one, other = uuid4(), uuid4(), uuid4()
    deals = {"bought": (gone, one), "sold": (one, gone), "others": (one, other)}
    async with database_at(server, "0029_flag_notes") as (owner, superuser):
        async with Sql.connect(superuser) as sql:
            # What these rows refer to does not matter here, and is not there.
            await sql.execute("SET session_replication_role = replica")
            for user_id in (gone, one, other):
                await sql.execute(_USER, user_id, f"deleted-{user_id.hex}@deleted.invalid", user_id == gone)
            ids = {name: uuid4() for name in deals}
            for name, (buyer, seller) in deals.items():
                await sql.execute(_RESERVATION, ids[name], buyer, seller)
                await sql.execute(_ORDER, ids[name], buyer, seller)
        await asyncio.to_thread(migrate, owner, server.app)
        async with Sql.connect(superuser) as sql:
            asked = await sql.rows("SELECT id FROM reservations WHERE message IS NOT NULL")
            said = await sql.rows("SELECT id FROM orders WHERE cancel_reason IS NOT NULL")
    assert {row["id"] for row in asked} == {ids["sold"], ids["others"]}
    assert {row["id"] for row in said} == {ids["others"]}
