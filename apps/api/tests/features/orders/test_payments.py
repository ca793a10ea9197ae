"""Orders handed to a payments service: asked with one key however often, taken back, refunded, looked after."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from uuid import UUID

import httpx
import pytest

from memi.orders import payment_jobs
from memi.orders.payment_jobs import OfOrder
from memi.orders.payments import Unavailable
from memi.platform.jobs import Postponed
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from support.deals import Deals
from support.orders import Orders, Purchase
from support.payments import PaymentsService, payments_service, with_payments
from support.sql import Sql

RunJobs = Callable[[], Awaitable[None]]
NOW = "UPDATE pgqueuer SET execute_after = now() WHERE entrypoint LIKE 'orders.%'"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PaymentsService]:
    with payments_service(tmp_path_factory.mktemp("payments")) as running:
        yield running


@pytest.fixture(scope="module")
def settings(settings: Settings, service: PaymentsService) -> Settings:
    return with_payments(settings, service.url, payments_timeout=1.0, payments_breaker_failures=1000)


@pytest.fixture(autouse=True)
async def well_behaved(service: PaymentsService, sql: Sql) -> AsyncIterator[None]:
    """Nothing is told by itself; what tests leave waiting is not the next one's."""
    service.turn(paused=True)
    yield
    service.reset()
    await sql.execute("DELETE FROM pgqueuer WHERE entrypoint LIKE 'orders.payment%'")


@pytest.fixture
def due(run_jobs: RunJobs, sql: Sql) -> RunJobs:
    """Run every job, also what was put off."""

    async def run() -> None:
        await sql.execute(NOW)
        await run_jobs()

    return run


async def attempts(sql: Sql, purchase: Purchase, purpose: str) -> list[tuple[int, str | None, int | None]]:
    rows = await sql.rows(
        "SELECT number, outcome, http_status FROM payment_attempts WHERE order_id = $1 AND purpose = $2 ORDER BY 1",
        UUID(purchase.id),
        purpose,
    )
    return [(row["number"], row["outcome"], row["http_status"]) for row in rows]


async def payment_id(sql: Sql, purchase: Purchase) -> str:
    return await sql.value("SELECT payment_id FROM orders WHERE id = $1", UUID(purchase.id))


async def refund(sql: Sql, purchase: Purchase) -> list[tuple[str, str]]:
    rows = await sql.rows("SELECT reason, status FROM refund_requests WHERE order_id = $1", UUID(purchase.id))
    return [(row["reason"], row["status"]) for row in rows]


async def hear(service: PaymentsService, client: httpx.AsyncClient, purchase: Purchase) -> list[str]:
    """Tell memi everything that the service has to say of the order."""
    return [await event.told(client) for event in service.events(purchase.id)]


class TestBeginning:
    async def test_gives_the_order_an_address_to_pay_at(
        self, service: PaymentsService, orders: Orders, client: httpx.AsyncClient, sql: Sql, run_jobs: RunJobs
    ) -> None:
        purchase = await orders.new()
        assert (purchase.made["status"], purchase.made["payment_url"]) == ("AWAITING_PAYMENT", None)
        await run_jobs()
        order = await purchase.read()
        assert order["status"] == "AWAITING_PAYMENT"
        assert order["payment_url"].startswith(service.url)
        assert await attempts(sql, purchase, "begin") == [(1, "answered", 201)]
        made = service.payment(await payment_id(sql, purchase))
        assert (made["order_id"], made["amount"], made["currency"]) == (purchase.id, 4500, "AZN")
        service.press(order["payment_url"], "pay")
        assert await hear(service, client, purchase) == ["applied"]
        order = await purchase.read()
        assert (order["status"], order["payment_url"]) == ("PAID", None)
        await orders.whole()

    async def test_asked_again_with_the_same_key_is_the_same_payment(
        self, service: PaymentsService, orders: Orders, sql: Sql, due: RunJobs
    ) -> None:
        """The first reply is lost after the payment was made."""
        service.turn(lose=2)
        purchase = await orders.new()
        await due()
        assert (await purchase.read())["payment_url"] is None
        await due()
        await due()
        assert await attempts(sql, purchase, "begin") == [
            (1, "unclear", 500),
            (2, "unclear", 500),
            (3, "answered", 201),
        ]
        assert service.payment(await payment_id(sql, purchase))["status"] == "PENDING"

    async def test_is_put_off_for_as_long_as_the_service_fails(
        self, service: PaymentsService, orders: Orders, sql: Sql, runtime: Runtime, due: RunJobs
    ) -> None:
        service.turn(fail=2 * runtime.settings.job_attempts)
        purchase = await orders.new()
        for _ in range(2 * runtime.settings.job_attempts):
            await due()
        assert await sql.value("SELECT count(*) FROM dead_jobs") == 0
        assert await purchase.status() == "AWAITING_PAYMENT"
        await due()
        assert (await purchase.read())["payment_url"] is not None

    async def test_is_given_up_to_staff_after_a_week(
        self, service: PaymentsService, orders: Orders, sql: Sql, runtime: Runtime
    ) -> None:
        purchase = await orders.new()
        begin, payload = payment_jobs.begin_payment.run, OfOrder(UUID(purchase.id))
        service.turn(fail=2)
        with pytest.raises(Postponed):
            await begin(payload, runtime)
        await sql.execute("UPDATE payment_attempts SET started_at = started_at - interval '8 days' WHERE number = 1")
        with pytest.raises(Unavailable):
            await begin(payload, runtime)
        assert await attempts(sql, purchase, "begin") == [(1, "unclear", 500), (2, "unclear", 500)]

    async def test_does_not_wait_longer_than_it_may(
        self, service: PaymentsService, orders: Orders, sql: Sql, due: RunJobs
    ) -> None:
        service.turn(slow_seconds=3)
        purchase = await orders.new()
        await due()
        assert await attempts(sql, purchase, "begin") == [(1, "unclear", None)]
        took = "SELECT extract(epoch FROM finished_at - started_at)::float8 FROM payment_attempts WHERE order_id = $1"
        assert 0.9 < await sql.value(took, UUID(purchase.id)) < 2.5

    async def test_of_an_order_that_is_over_is_not_asked_for(self, orders: Orders, sql: Sql, run_jobs: RunJobs) -> None:
        purchase = await orders.new()
        await purchase.must(purchase.buyer, "cancel")
        await run_jobs()
        assert await attempts(sql, purchase, "begin") == []
        assert await attempts(sql, purchase, "cancel") == []


class TestTakingBack:
    async def test_of_a_cancelled_order_leaves_nothing_to_pay(
        self, service: PaymentsService, orders: Orders, client: httpx.AsyncClient, sql: Sql, run_jobs: RunJobs
    ) -> None:
        purchase = await orders.new()
        await run_jobs()
        url = (await purchase.read())["payment_url"]
        await purchase.must(purchase.seller, "cancel")
        await run_jobs()
        assert await attempts(sql, purchase, "cancel") == [(1, "answered", 200)]
        service.press(url, "pay")
        assert service.payment(await payment_id(sql, purchase))["status"] == "CANCELLED"
        assert await hear(service, client, purchase) == ["ignored"]
        assert (await purchase.status(), await refund(sql, purchase)) == ("CANCELLED", [])

    async def test_reaches_a_payment_of_which_nobody_had_heard(
        self, service: PaymentsService, orders: Orders, sql: Sql, due: RunJobs
    ) -> None:
        """It was made, its reply was lost, and the order is cancelled meanwhile."""
        service.turn(lose=1)
        purchase = await orders.new()
        await due()
        await purchase.must(purchase.buyer, "cancel")
        await due()
        await due()
        assert service.payment(await payment_id(sql, purchase))["status"] == "CANCELLED"
        assert (await purchase.status(), await refund(sql, purchase)) == ("CANCELLED", [])

    @pytest.mark.parametrize("asked_first", [True, False], ids=["asked first", "told first"])
    async def test_of_what_was_paid_meanwhile_is_one_refund_sent_once(
        self, service: PaymentsService, orders: Orders, client: httpx.AsyncClient, due: RunJobs, asked_first: bool
    ) -> None:
        sql = orders.sql
        purchase = await orders.new()
        await due()
        service.press((await purchase.read())["payment_url"], "pay")
        await purchase.must(purchase.buyer, "cancel")
        if asked_first:
            await due()
        told = await hear(service, client, purchase)
        assert told[0] == ("unchanged" if asked_first else "refund_requested")
        service.turn(lose=1)
        for _ in range(4):
            await due()
        assert set(await hear(service, client, purchase)) <= {"applied", "duplicate", "unchanged"}
        assert await refund(sql, purchase) == [("cancelled", "DONE")]
        assert await purchase.status() == "REFUNDED"
        kinds = [b"payment.succeeded", b"payment.refunded"]
        assert all(kind in event.body for kind, event in zip(kinds, service.events(purchase.id), strict=True))
        sent = [(1, "answered", 200)] if asked_first else [(1, "unclear", 500), (2, "answered", 200)]
        assert await attempts(sql, purchase, "refund") == sent
        assert (await orders.lines(purchase)).count("order.refunded") == 1
        await orders.whole()

    async def test_of_what_the_service_will_not_refund_is_left_to_staff(
        self, orders: Orders, sql: Sql, runtime: Runtime, due: RunJobs
    ) -> None:
        """A payment that it does not know: the job ends among the dead ones, the request stays open."""
        purchase = await orders.new()
        await purchase.must(purchase.buyer, "cancel")
        await sql.execute(
            "INSERT INTO refund_requests (id, order_id, payment_id, amount, currency, reason) "
            "VALUES ($1, $1, 'pay_unknown', 4500, 'AZN', 'cancelled')",
            UUID(purchase.id),
        )
        for number in range(1, 3):
            with pytest.raises(Exception, match="404"):
                await payment_jobs.request_refund.run(OfOrder(UUID(purchase.id)), runtime)
            assert (await attempts(sql, purchase, "refund"))[-1] == (number, "refused", 404)
        assert await refund(sql, purchase) == [("cancelled", "REQUESTED")]


class TestLookingAfter:
    async def test_finds_out_what_no_event_told(
        self, service: PaymentsService, orders: Orders, runtime: Runtime, sql: Sql, run_jobs: RunJobs
    ) -> None:
        purchase = await orders.new()
        await run_jobs()
        query = "SELECT count(*) FROM pgqueuer WHERE entrypoint = 'orders.payment_jobs.look_at_payment'"
        assert await sql.value(query) == 1
        look = payment_jobs.look_at_payment.run
        with pytest.raises(Postponed):
            await look(OfOrder(UUID(purchase.id)), runtime)
        service.press((await purchase.read())["payment_url"], "pay")
        await look(OfOrder(UUID(purchase.id)), runtime)
        assert await purchase.status() == "PAID"
        await look(OfOrder(UUID(purchase.id)), runtime)
        assert await attempts(sql, purchase, "look") == [(1, "answered", 200), (2, "answered", 200)]
        await orders.whole()

    async def test_sees_that_it_failed(
        self, service: PaymentsService, orders: Orders, deals: Deals, runtime: Runtime, run_jobs: RunJobs
    ) -> None:
        purchase = await orders.new()
        await run_jobs()
        service.press((await purchase.read())["payment_url"], "fail")
        await payment_jobs.look_at_payment.run(OfOrder(UUID(purchase.id)), runtime)
        assert (await purchase.status(), await deals.listing_status(purchase.item)) == ("PAYMENT_FAILED", "ACTIVE")


async def test_old_records_are_forgotten(orders: Orders, sql: Sql, runtime: Runtime, run_jobs: RunJobs) -> None:
    old, new = await orders.new(), await orders.new()
    await run_jobs()
    await sql.execute(
        "UPDATE payment_attempts SET started_at = now() - interval '181 days' WHERE order_id = $1", UUID(old.id)
    )
    await payment_jobs.prune_payment_records.run(runtime)
    assert await attempts(sql, old, "begin") == []
    assert await attempts(sql, new, "begin") == [(1, "answered", 201)]
