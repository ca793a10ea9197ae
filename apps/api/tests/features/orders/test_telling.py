"""Who hears of an order: sockets, the inbox, and for good the export of one's data."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
import pytest

from features.notifications.test_live import of, socket, until
from features.privacy.conftest import days_pass
from memi.notifications.handlers import order_recipients
from memi.orders.events import OrderChanged
from memi.orders.jobs import expire_orders
from memi.platform.ids import new_id
from memi.platform.runtime import Runtime
from memi.privacy.erasure import erase_accounts
from support.orders import Orders
from support.paying import Paying
from support.people import Person

RunJobs = Callable[[], Awaitable[None]]


async def told(person: Person) -> list[dict[str, Any]]:
    items = (await person.get("/notifications")).json()["items"]
    return [item for item in items if item["type"] == "ORDER"][::-1]


async def events(person: Person) -> list[str]:
    return [item["event"] for item in await told(person)]


async def test_the_other_side_is_notified_once(orders: Orders, run_jobs: RunJobs) -> None:
    purchase = await orders.new()
    await run_jobs()
    await purchase.must(purchase.seller, "cancel")
    await run_jobs()
    assert (await events(purchase.seller), await events(purchase.buyer)) == (["order.created"], ["order.cancelled"])
    data = (await told(purchase.seller))[0]["data"]
    assert (data["order_id"], data["chat_id"]) == (purchase.id, purchase.made["chat_id"])
    assert (data["other_name"], data["listing_title"]) == ("Leyla", "Wool coat")


async def test_money_and_time_concern_both(
    orders: Orders, payments: None, paying: Paying, runtime: Runtime, run_jobs: RunJobs
) -> None:
    paid, failed, late = await orders.new(), await orders.new(), await orders.new()
    await paying.succeeds(paid)
    await paying.refunds(paid)
    await paying.fails(failed)
    await orders.hurry(late)
    await expire_orders.run(runtime)
    await run_jobs()
    for purchase, heard in (
        (paid, ["order.paid", "order.refunded"]),
        (failed, ["order.payment_failed"]),
        (late, ["order.cancelled"]),
    ):
        assert sorted(await events(purchase.buyer)) == heard
        assert sorted(await events(purchase.seller)) == sorted(["order.created", *heard])
    assert sorted(await orders.lines(paid)) == ["order.created", "order.paid", "order.refunded"]


@pytest.mark.parametrize(
    ("actor", "change", "reason", "expected"),
    [
        ("buyer", "created", None, {"seller"}),
        ("seller", "completed", None, {"buyer"}),
        (None, "cancelled", "lapsed", {"buyer", "seller"}),
        (None, "paid", None, {"buyer", "seller"}),
        (None, "refunded", None, {"buyer", "seller"}),
        (None, "payment_failed", "payment_failed", {"buyer", "seller"}),
        (None, "cancelled", "removed", {"buyer"}),
        (None, "completed", "sold", {"buyer"}),
        (None, "cancelled", "buyer_blocked", {"seller"}),
        (None, "cancelled", "buyer_deleted", {"seller"}),
        (None, "cancelled", "seller_deleted", {"buyer"}),
    ],
)
def test_who_is_told(actor: str | None, change: Any, reason: Any, expected: set[str]) -> None:
    ids = {"buyer": new_id(), "seller": new_id()}
    event = OrderChanged(
        order_id=new_id(),
        listing_id=new_id(),
        chat_id=new_id(),
        buyer_id=ids["buyer"],
        seller_id=ids["seller"],
        change=change,
        actor_id=ids[actor] if actor else None,
        reason=reason,
    )
    assert set(order_recipients(event)) == {ids[name] for name in expected}


async def test_both_sides_see_it_move_each_what_concerns_them(
    client: httpx.AsyncClient, orders: Orders, payments: None, paying: Paying, runtime: Runtime
) -> None:
    purchase = await orders.shipped()
    async with socket(runtime, purchase.buyer) as buyer, socket(runtime, purchase.seller) as seller:
        await paying.begins(purchase)
        await until(lambda: bool(of(buyer, "order.updated") and of(seller, "order.updated")))
        await paying.succeeds(purchase)
        await until(lambda: min(len(of(side, "order.updated")) for side in (buyer, seller)) == 2)
        mine, theirs = ([frame["data"] for frame in of(side, "order.updated")] for side in (buyer, seller))
    assert [item["status"] for item in mine] == [item["status"] for item in theirs] == ["AWAITING_PAYMENT", "PAID"]
    assert [item["version"] for item in mine] == [2, 3]
    assert mine[0]["payment_url"] is not None
    assert theirs[0]["payment_url"] is None
    assert mine[0]["address"] is not None
    assert theirs[0]["address"] is None
    assert theirs[1]["address"] == mine[1]["address"]


async def test_name_and_address_of_the_erased_are_gone(orders: Orders, runtime: Runtime, run_jobs: RunJobs) -> None:
    purchase = await orders.shipped()
    await purchase.must(purchase.buyer, "complete")
    assert (await purchase.seller.delete("/users/me")).status_code == 204
    await erased(orders, runtime, run_jobs, purchase.seller)
    seen = await purchase.read()
    assert (seen["seller"]["name"], seen["title"], seen["status"]) == ("Deleted user", "Wool coat", "COMPLETED")
    assert seen["address"] is not None
    assert (await purchase.buyer.delete("/users/me")).status_code == 204
    await erased(orders, runtime, run_jobs, purchase.buyer)
    row = (await orders.sql.rows("SELECT * FROM orders WHERE id = $1", UUID(purchase.id)))[0]
    assert (row["buyer_name"], row["seller_name"], row["address"]) == (None, None, None)


async def erased(orders: Orders, runtime: Runtime, run_jobs: RunJobs, person: Person) -> None:
    await run_jobs()
    await days_pass(orders.sql, person)
    await erase_accounts.run(runtime)
    await run_jobs()
