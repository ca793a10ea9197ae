"""What the payments service tells: only if it is the service, once, and in whatever order it comes."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from memi.orders.webhooks import Signatures
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from support.deals import Deals
from support.orders import Orders, Purchase
from support.paying import CURRENCY, PRICE, Paying
from support.payments import OLD_SECRET, PATH, Event, event, with_payments
from support.sql import Sql

STRANGER = "whsec_" + "bm90LXRoZS1zZWNyZXQtb2YtYW55Ym9keS1oZXJl"


@pytest.fixture(scope="module")
def settings(settings: Settings) -> Settings:
    """Payments are configured; nobody answers there, and for this it need not."""
    return with_payments(settings, "http://127.0.0.1:9")


@pytest.fixture
async def purchase(orders: Orders, paying: Paying) -> Purchase:
    """An order that waits to be paid."""
    made = await orders.new()
    assert await paying.begins(made) == "applied"
    return made


def about(purchase: Purchase, kind: str = "payment.succeeded", *, at: str | None = None, **data: Any) -> Event:
    told = {"order_id": purchase.id, "payment_id": Paying.id_of(purchase), "amount": PRICE, "currency": CURRENCY}
    return event(kind, {**told, **data}, at=at)


async def deliveries(sql: Sql, purchase: Purchase) -> list[tuple[str, str]]:
    rows = await sql.rows(
        "SELECT type, outcome FROM webhook_deliveries WHERE order_id = $1 ORDER BY received_at", UUID(purchase.id)
    )
    return [(row["type"], row["outcome"]) for row in rows]


async def refused(client: httpx.AsyncClient, content: Any, headers: Any) -> tuple[int, str]:
    reply = await client.post(PATH, content=content, headers=headers)
    return reply.status_code, reply.json()["code"]


async def unmoved(sql: Sql, purchase: Purchase, sent: Event) -> None:
    assert await purchase.status() == "AWAITING_PAYMENT"
    assert await sql.value("SELECT count(*) FROM webhook_deliveries WHERE id = $1", sent.id) == 0


class TestSignature:
    async def test_of_the_service_is_taken_without_a_sign_in(
        self, client: httpx.AsyncClient, purchase: Purchase
    ) -> None:
        assert await about(purchase).told(client) == "applied"
        assert await purchase.status() == "PAID"

    async def test_by_an_older_secret_that_is_still_listed_is_good(
        self, client: httpx.AsyncClient, purchase: Purchase
    ) -> None:
        reply = await about(purchase).send(client, secret=OLD_SECRET)
        assert (reply.status_code, await purchase.status()) == (200, "PAID")

    async def test_by_another_secret_is_not(self, client: httpx.AsyncClient, sql: Sql, purchase: Purchase) -> None:
        sent = about(purchase)
        assert await refused(client, sent.body, sent.headers(secret=STRANGER)) == (401, "invalid_signature")
        await unmoved(sql, purchase, sent)

    async def test_is_of_this_very_body(self, client: httpx.AsyncClient, sql: Sql, purchase: Purchase) -> None:
        sent = about(purchase, amount=1)
        changed = sent.body.replace(b'"amount": 1,', b'"amount": 4500,')
        assert changed != sent.body
        for body in (changed, sent.body + b" ", b""):
            assert await refused(client, body, sent.headers()) == (401, "invalid_signature")
        await unmoved(sql, purchase, sent)

    async def test_is_of_this_id_and_time(self, client: httpx.AsyncClient, sql: Sql, purchase: Purchase) -> None:
        sent = about(purchase)
        good = sent.headers(age=60)
        for header, value in (
            ("webhook-id", f"evt_{uuid4().hex}"),
            ("webhook-timestamp", str(int(good["webhook-timestamp"]) + 60)),
        ):
            assert await refused(client, sent.body, {**good, header: value}) == (401, "invalid_signature")
        await unmoved(sql, purchase, sent)

    @pytest.mark.parametrize(("age", "status"), [(290, 200), (310, 401), (86_400, 401), (-290, 200), (-310, 401)])
    async def test_is_good_for_five_minutes(
        self, client: httpx.AsyncClient, purchase: Purchase, age: float, status: int
    ) -> None:
        reply = await about(purchase).send(client, age=age)
        assert reply.status_code == status
        assert await purchase.status() == ("PAID" if status == 200 else "AWAITING_PAYMENT")

    async def test_may_be_one_of_several(self, client: httpx.AsyncClient, purchase: Purchase) -> None:
        sent = about(purchase)
        ours, theirs = sent.headers(), sent.headers(secret=STRANGER)["webhook-signature"]
        signatures = f"v1a,AAAA {theirs} {ours['webhook-signature']}"
        reply = await client.post(PATH, content=sent.body, headers={**ours, "webhook-signature": signatures})
        assert (reply.status_code, await purchase.status()) == (200, "PAID")

    @pytest.mark.parametrize(
        ("header", "value"),
        [
            ("webhook-signature", "v1"),
            ("webhook-signature", "v1,***"),
            ("webhook-signature", "v1,aGVsbG8"),
            ("webhook-signature", "v1,a,b"),
            ("webhook-signature", "v1,"),
            ("webhook-signature", "v2,aGVsbG8="),
            ("webhook-signature", "v1,aGVsbG8= " * 500),
            ("webhook-timestamp", "nan"),
            ("webhook-timestamp", "1e9"),
            ("webhook-timestamp", "-1"),
            ("webhook-timestamp", "9" * 400),
            ("webhook-timestamp", "yesterday"),
            ("webhook-id", "evt 1"),
            ("webhook-id", "evt_1\r\nwebhook-id: evt_2"),
            ("webhook-id", "x" * 256),
        ],
    )
    async def test_that_is_malformed_is_refused_and_never_an_error(
        self, client: httpx.AsyncClient, sql: Sql, purchase: Purchase, header: str, value: str
    ) -> None:
        sent = about(purchase)
        headers = {**sent.headers(), header: value}
        assert await refused(client, sent.body, headers) == (401, "invalid_signature")
        await unmoved(sql, purchase, sent)

    async def test_of_an_id_with_the_separator_is_refused(self, client: httpx.AsyncClient, purchase: Purchase) -> None:
        """With full stops in ids, one signature would fit two readings of what was signed."""
        sent = Event(f"evt.{uuid4().hex}", about(purchase).body)
        assert await refused(client, sent.body, sent.headers()) == (401, "invalid_signature")
        assert await purchase.status() == "AWAITING_PAYMENT"

    @pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp", "webhook-signature"])
    async def test_needs_each_header_once(
        self, client: httpx.AsyncClient, sql: Sql, purchase: Purchase, header: str
    ) -> None:
        sent = about(purchase)
        headers = sent.headers()
        without = {name: value for name, value in headers.items() if name != header}
        twice = [*headers.items(), (header, headers[header])]
        for given in (without, twice, {}):
            assert await refused(client, sent.body, given) == (401, "invalid_signature")
        await unmoved(sql, purchase, sent)

    async def test_a_token_of_a_person_is_none(self, client: httpx.AsyncClient, sql: Sql, purchase: Purchase) -> None:
        sent = about(purchase)
        for person in (purchase.buyer, purchase.seller):
            assert await refused(client, sent.body, person.headers) == (401, "invalid_signature")
        await unmoved(sql, purchase, sent)


class TestBody:
    async def test_has_64_kilobytes_at_most(self, client: httpx.AsyncClient, sql: Sql, purchase: Purchase) -> None:
        sent = about(purchase, note="x" * 65_536)
        assert await refused(client, sent.body, sent.headers()) == (413, "body_too_large")
        await unmoved(sql, purchase, sent)
        fits = about(purchase, note="x" * 60_000)
        assert await fits.told(client) == "applied"

    async def test_of_ten_megabytes_is_not_even_read(
        self, client: httpx.AsyncClient, sql: Sql, purchase: Purchase
    ) -> None:
        sent = about(purchase, note="x" * 10_000_000)
        read = 0

        async def parts() -> AsyncIterator[bytes]:
            nonlocal read
            for start in range(0, len(sent.body), 16_384):
                read += 16_384
                yield sent.body[start : start + 16_384]

        assert await refused(client, parts(), sent.headers()) == (413, "body_too_large")
        assert read < 200_000
        assert await refused(client, sent.body, sent.headers()) == (413, "body_too_large")
        await unmoved(sql, purchase, sent)

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"[]",
            b"null",
            b"\xff\xfe",
            b"[" * 60_000,
            b'{"type": "payment.succeeded"}',
            b'{"type": "payment.succeeded", "timestamp": "2026-01-01T00:00:00Z", "data": {}}',
            b'{"type": "payment.succeeded", "timestamp": "2026-01-01T00:00:00", "data": {}}',
            b'{"type": "a\\u0000b", "timestamp": "2026-01-01T00:00:00Z", "data": {}}',
        ],
    )
    async def test_that_is_signed_but_malformed_is_said_to_be(
        self, client: httpx.AsyncClient, sql: Sql, body: bytes
    ) -> None:
        sent = Event(f"evt_{uuid4().hex}", body)
        expected = (401, "invalid_signature") if body == b"\xff\xfe" else (400, "malformed_webhook")
        assert await refused(client, body, sent.headers()) == expected
        assert await sql.value("SELECT count(*) FROM webhook_deliveries WHERE id = $1", sent.id) == 0

    @pytest.mark.parametrize(
        "wrong",
        [
            {"order_id": "17"},
            {"order_id": None},
            {"payment_id": ""},
            {"payment_id": "pay\n1"},
            {"payment_id": "x" * 256},
            {"amount": 0},
            {"amount": -4500},
            {"amount": True},
            {"amount": "4500"},
            {"amount": 45.5},
            {"amount": 10**30},
            {"currency": "azn"},
            {"currency": "AZN\n"},
        ],
    )
    async def test_with_wrong_data_is_refused(
        self, client: httpx.AsyncClient, sql: Sql, purchase: Purchase, wrong: dict[str, Any]
    ) -> None:
        sent = about(purchase, **wrong)
        assert await refused(client, sent.body, sent.headers()) == (400, "malformed_webhook")
        await unmoved(sql, purchase, sent)

    @pytest.mark.parametrize("at", ["1999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"])
    async def test_of_another_age_is_refused(
        self, client: httpx.AsyncClient, sql: Sql, purchase: Purchase, at: str
    ) -> None:
        sent = about(purchase, at=at)
        assert await refused(client, sent.body, sent.headers()) == (400, "malformed_webhook")
        await unmoved(sql, purchase, sent)

    async def test_may_have_members_that_nobody_knows(self, client: httpx.AsyncClient, purchase: Purchase) -> None:
        assert await about(purchase, method="card", fee={"amount": 1}).told(client) == "applied"


class TestEffect:
    async def test_of_a_payment_is_the_sale_at_the_time_it_happened(
        self, client: httpx.AsyncClient, orders: Orders, deals: Deals, purchase: Purchase
    ) -> None:
        assert await about(purchase, at="2026-11-20T10:30:00+04:00").told(client) == "applied"
        order = await purchase.read()
        assert (order["status"], order["paid_at"]) == ("PAID", "2026-11-20T06:30:00Z")
        assert await deals.listing_status(purchase.item) == "SOLD"
        kept = await orders.sql.value("SELECT event_at FROM webhook_deliveries WHERE order_id = $1", UUID(purchase.id))
        assert kept == datetime(2026, 11, 20, 6, 30, tzinfo=UTC)
        await orders.whole()

    async def test_of_a_failure_frees_the_item(
        self, client: httpx.AsyncClient, orders: Orders, deals: Deals, purchase: Purchase
    ) -> None:
        assert await about(purchase, "payment.failed").told(client) == "applied"
        assert (await purchase.status(), await deals.listing_status(purchase.item)) == ("PAYMENT_FAILED", "ACTIVE")
        await orders.whole()

    @pytest.mark.parametrize("backwards", [False, True], ids=["in order", "backwards"])
    async def test_is_the_same_ten_times_over_and_backwards(
        self, client: httpx.AsyncClient, orders: Orders, deals: Deals, purchase: Purchase, backwards: bool
    ) -> None:
        told = [about(purchase), about(purchase, "payment.refunded")]
        if backwards:
            told.reverse()
        outcomes = [await sent.told(client) for _ in range(10) for sent in told]
        assert outcomes[:2] == (["applied", "unchanged"] if backwards else ["applied", "applied"])
        assert outcomes[2:] == ["duplicate"] * 18
        assert (await purchase.status(), await deals.listing_status(purchase.item)) == ("REFUNDED", "SOLD")
        assert len(await deliveries(orders.sql, purchase)) == 2
        await orders.whole()

    async def test_of_one_delivered_twice_at_once_is_one(
        self, client: httpx.AsyncClient, orders: Orders, purchase: Purchase
    ) -> None:
        before = (await purchase.read())["version"]
        sent = about(purchase)
        outcomes = await asyncio.gather(*(sent.told(client) for _ in range(12)))
        assert sorted(outcomes) == ["applied", *["duplicate"] * 11]
        assert (await purchase.read())["version"] == before + 1
        assert await deliveries(orders.sql, purchase) == [("payment.succeeded", "applied")]

    async def test_of_two_that_say_the_same_at_once_is_one(
        self, client: httpx.AsyncClient, orders: Orders, purchase: Purchase
    ) -> None:
        outcomes = await asyncio.gather(*(about(purchase).told(client) for _ in range(6)))
        assert sorted(outcomes) == ["applied", *["unchanged"] * 5]
        await orders.whole()

    async def test_of_one_that_overtook_the_payments_own_beginning_is_kept(
        self, client: httpx.AsyncClient, orders: Orders, paying: Paying
    ) -> None:
        purchase = await orders.new()
        assert await about(purchase).told(client) == "applied"
        assert await paying.begins(purchase) == "unchanged"
        assert await purchase.status() == "PAID"

    @pytest.mark.parametrize(
        ("wrong", "flag"),
        [
            ({"amount": PRICE - 1}, "other_amount"),
            ({"amount": PRICE * 100}, "other_amount"),
            ({"currency": "USD"}, "other_amount"),
            ({"payment_id": "pay_of_another"}, "other_payment"),
        ],
    )
    async def test_of_what_does_not_fit_is_a_flag_for_staff(
        self, client: httpx.AsyncClient, orders: Orders, purchase: Purchase, wrong: dict[str, Any], flag: str
    ) -> None:
        assert await about(purchase, **wrong).told(client) == "mismatch"
        assert await purchase.status() == "AWAITING_PAYMENT"
        await orders.whole()
        query = "SELECT payment_flag FROM orders WHERE id = $1"
        assert await orders.sql.value(query, UUID(purchase.id)) == flag
        assert await deliveries(orders.sql, purchase) == [("payment.succeeded", "mismatch")]
        assert await about(purchase).told(client) == "applied"

    async def test_of_an_order_that_is_none_is_a_record(self, client: httpx.AsyncClient, sql: Sql) -> None:
        data = {"order_id": str(uuid4()), "payment_id": "pay_1", "amount": 1, "currency": "AZN"}
        sent = event("payment.succeeded", data)
        assert [await sent.told(client) for _ in range(2)] == ["unknown_order", "duplicate"]
        row = (await sql.rows("SELECT order_id, outcome FROM webhook_deliveries WHERE id = $1", sent.id))[0]
        assert row == {"order_id": None, "outcome": "unknown_order"}

    @pytest.mark.parametrize("data", [{}, None, "text", {"anything": ["at", "all"]}])
    async def test_of_a_kind_that_nobody_knows_is_a_record(
        self, client: httpx.AsyncClient, sql: Sql, data: Any
    ) -> None:
        sent = event("payment.disputed", data)
        assert await sent.told(client) == "ignored"
        assert await sql.value("SELECT outcome FROM webhook_deliveries WHERE id = $1", sent.id) == "ignored"


async def test_nothing_is_heard_of_a_service_that_is_not_configured(
    client: httpx.AsyncClient, runtime: Runtime, sql: Sql, purchase: Purchase
) -> None:
    configured = runtime.adapters.get(Signatures)
    runtime.adapters.set(Signatures, Signatures([]))
    sent = about(purchase)
    try:
        assert await refused(client, sent.body, sent.headers()) == (404, "not_found")
    finally:
        runtime.adapters.set(Signatures, configured)
    await unmoved(sql, purchase, sent)
