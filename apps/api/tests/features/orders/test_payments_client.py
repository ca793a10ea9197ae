"""A payments service that answers badly: every way is one of two, in bounded time and space, and the breaker counts."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from memi.orders.breaker import Breaker
from memi.orders.payments import Call, Purpose, Refused, Unavailable
from memi.orders.payments_http import HttpPayments
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from support.payments import SECRET, TOKEN, with_payments
from support.service import free_port
from support.sql import Sql

ORDER = UUID("01980000-0000-7000-8000-000000000001")
GOOD: dict[str, Any] = {
    "id": "pay_1",
    "order_id": str(ORDER),
    "status": "PENDING",
    "amount": 4500,
    "currency": "AZN",
    "updated_at": "2026-11-21T10:00:00Z",
    "payment_url": "https://pay.example/pay_1",
}


class BadService:
    """Sends these bytes, at this pace, to whoever asks; remembers what was asked."""

    def __init__(self) -> None:
        self.port = free_port()
        self.parts: list[bytes] = []
        self.pause = 0.0
        self.heads: list[str] = []
        self.sent = 0

    def says(self, status: int, body: bytes | dict[str, Any] = b"{}", **headers: str) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"Content-Length": str(len(content)), "Connection": "close"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        self.parts = [f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode() + content]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            for part in self.parts:
                writer.write(part)
                await writer.drain()
                self.sent += len(part)
                await asyncio.sleep(self.pause)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the other side has had enough
        finally:
            writer.close()


@pytest.fixture
async def bad() -> AsyncIterator[BadService]:
    service = BadService()
    async with await asyncio.start_server(service.serve, "127.0.0.1", service.port):
        yield service


@pytest.fixture
async def payments(bad: BadService) -> AsyncIterator[HttpPayments]:
    made = HttpPayments(f"http://127.0.0.1:{bad.port}", TOKEN, 0.5, https_only=True)
    yield made
    await made.aclose()


def call(purpose: Purpose = "begin") -> Call:
    body = {"order_id": ORDER, "amount": 4500, "currency": "AZN"} if purpose == "begin" else {}
    return Call(purpose, ORDER, None if purpose == "begin" else "pay_1", body)


async def failure(payments: HttpPayments, purpose: Purpose = "begin") -> tuple[str, int | None]:
    with pytest.raises((Unavailable, Refused)) as caught:
        await payments.ask(call(purpose), uuid4())
    error = caught.value
    return (error.failure if isinstance(error, Unavailable) else "refused", error.status)


class TestAsking:
    async def test_carries_who_what_and_the_same_key_each_time(self, bad: BadService, payments: HttpPayments) -> None:
        bad.says(201, GOOD)
        first, second = uuid4(), uuid4()
        answers = [await payments.ask(call(), name) for name in (first, second)]
        assert answers[0] == answers[1]
        for name, head in zip((first, second), bad.heads, strict=True):
            assert head.startswith("POST /payments HTTP/1.1\r\n")
            for line in (f"Authorization: Bearer {TOKEN}", f"Idempotency-Key: {ORDER}:begin", f"X-Request-ID: {name}"):
                assert f"\r\n{line}\r\n" in head

    async def test_names_a_payment_by_what_cannot_be_a_path(self, bad: BadService, payments: HttpPayments) -> None:
        bad.says(200, {**GOOD, "id": "../a?b#c"})
        await payments.ask(Call("look", ORDER, "../a?b#c"), uuid4())
        assert bad.heads[0].startswith("GET /payments/..%2Fa%3Fb%23c HTTP/1.1\r\n")

    @pytest.mark.parametrize(
        ("status", "begin", "cancel"),
        [
            (301, "turned_away", "turned_away"),
            (400, "refused", "refused"),
            (401, "turned_away", "turned_away"),
            (404, "turned_away", "refused"),
            (409, "unclear", "unclear"),
            (422, "refused", "refused"),
            (429, "turned_away", "turned_away"),
            (500, "unclear", "unclear"),
            (503, "unclear", "unclear"),
        ],
    )
    async def test_reads_a_status_as_the_contract_says(
        self, bad: BadService, payments: HttpPayments, status: int, begin: str, cancel: str
    ) -> None:
        bad.says(status, b"{}", Location="http://127.0.0.1:1/elsewhere")
        assert await failure(payments) == (begin, status)
        assert await failure(payments, "cancel") == (cancel, status)
        assert len(bad.heads) == 2, "no redirect is followed, nothing asked twice"

    @pytest.mark.parametrize(
        ("said", "wait"), [("7", 7), ("99999", 300), ("soon", None), ("-1", None), ("9" * 50, None)]
    )
    async def test_waits_as_long_as_it_is_told_within_reason(
        self, bad: BadService, payments: HttpPayments, said: str, wait: float | None
    ) -> None:
        bad.says(503, b"", Retry_After=said)
        with pytest.raises(Unavailable) as caught:
            await payments.ask(call(), uuid4())
        assert caught.value.wait_seconds == wait

    @pytest.mark.parametrize(
        "body",
        [b"", b"[]", b"<html>", b"\xff", b"{" * 9000, json.dumps({**GOOD, "status": "PAID"}).encode()],
        ids=["nothing", "a list", "a page", "no text", "depth", "another status"],
    )
    async def test_takes_no_nonsense(self, bad: BadService, payments: HttpPayments, body: bytes) -> None:
        bad.says(200, body)
        assert await failure(payments) == ("unclear", 200)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"order_id": str(uuid4())},
            {"amount": 1},
            {"currency": "USD"},
            {"payment_url": None},
            {"payment_url": "http://pay.example/pay_1"},
        ],
    )
    async def test_takes_no_other_payment_than_what_was_asked_for(
        self, bad: BadService, payments: HttpPayments, wrong: dict[str, Any]
    ) -> None:
        bad.says(201, {**GOOD, **wrong})
        assert await failure(payments) == ("refused", 201)

    @pytest.mark.parametrize("url", ["javascript:alert(1)", "https://pay.example/\n", "//pay.example", "https://"])
    async def test_shows_nobody_what_is_no_address(self, bad: BadService, payments: HttpPayments, url: str) -> None:
        bad.says(201, {**GOOD, "payment_url": url})
        assert await failure(payments) == ("unclear", 201)

    async def test_reads_so_much_and_no_more(self, bad: BadService, payments: HttpPayments) -> None:
        bad.parts = [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", *[b" " * 65_536] * 500]
        assert (await failure(payments))[0] == "unclear"
        assert bad.sent < 10_000_000

    @pytest.mark.parametrize(
        "parts",
        [[b""] * 100, [b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", *[b" "] * 100]],
        ids=["silent", "dripping"],
    )
    async def test_waits_so_long_altogether_and_no_longer(
        self, bad: BadService, payments: HttpPayments, parts: list[bytes]
    ) -> None:
        bad.parts, bad.pause = parts, 0.1
        started = time.monotonic()
        assert (await failure(payments))[0] == "unclear"
        assert time.monotonic() - started < 2

    async def test_tells_a_lost_connection_from_one_never_made(self, bad: BadService, payments: HttpPayments) -> None:
        bad.parts = [b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"]
        assert await failure(payments) == ("unclear", None)
        nobody = HttpPayments(f"http://127.0.0.1:{free_port()}", TOKEN, 0.5, https_only=False)
        assert await failure(nobody) == ("unreachable", None)
        await nobody.aclose()


class TestBreaker:
    @pytest.fixture
    async def breaker(self, settings: Settings, sql: Sql) -> Breaker:
        await sql.execute("DELETE FROM payment_breaker")
        return Breaker(settings.model_copy(update={"payments_breaker_failures": 3, "payments_breaker_seconds": 30.0}))

    async def fail(self, breaker: Breaker, runtime: Runtime, times: int = 1) -> None:
        for _ in range(times):
            async with runtime.unit_of_work() as session:
                await breaker.failed(session)

    async def admitted(self, breaker: Breaker, runtime: Runtime) -> bool:
        async with runtime.unit_of_work() as session:
            return await breaker.admit(session) is None

    async def state(self, breaker: Breaker, runtime: Runtime) -> str:
        async with runtime.unit_of_work() as session:
            return (await breaker.standing(session)).state

    async def answer(self, breaker: Breaker, runtime: Runtime) -> None:
        async with runtime.unit_of_work() as session:
            await breaker.answered(session)

    async def test_opens_after_so_many_failures_in_a_row(self, breaker: Breaker, runtime: Runtime) -> None:
        await self.fail(breaker, runtime, 2)
        await self.answer(breaker, runtime)
        await self.fail(breaker, runtime, 2)
        assert (await self.state(breaker, runtime), await self.admitted(breaker, runtime)) == ("closed", True)
        await self.fail(breaker, runtime)
        assert (await self.state(breaker, runtime), await self.admitted(breaker, runtime)) == ("open", False)

    async def test_lets_one_of_many_try_after_its_pause(self, breaker: Breaker, runtime: Runtime, sql: Sql) -> None:
        await self.fail(breaker, runtime, 3)
        await sql.execute("UPDATE payment_breaker SET open_until = now()")
        assert await self.state(breaker, runtime) == "half_open"
        assert sum(await asyncio.gather(*(self.admitted(breaker, runtime) for _ in range(12)))) == 1
        await self.fail(breaker, runtime)
        assert (await self.state(breaker, runtime), await self.admitted(breaker, runtime)) == ("open", False)
        await sql.execute("UPDATE payment_breaker SET open_until = now()")
        assert await self.admitted(breaker, runtime)
        await self.answer(breaker, runtime)
        assert (await self.state(breaker, runtime), await self.admitted(breaker, runtime)) == ("closed", True)

    async def test_gives_another_the_turn_of_one_that_died(self, breaker: Breaker, runtime: Runtime, sql: Sql) -> None:
        await self.fail(breaker, runtime, 3)
        await sql.execute("UPDATE payment_breaker SET open_until = now()")
        assert [await self.admitted(breaker, runtime) for _ in range(2)] == [True, False]
        await sql.execute("UPDATE payment_breaker SET probe_until = now()")
        assert await self.admitted(breaker, runtime)

    async def test_is_not_kept_open_by_stragglers(self, breaker: Breaker, runtime: Runtime, sql: Sql) -> None:
        await self.fail(breaker, runtime, 3)
        until = await sql.value("SELECT open_until FROM payment_breaker")
        await self.fail(breaker, runtime, 5)
        assert await sql.value("SELECT open_until FROM payment_breaker") == until


class TestSettings:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"payments_token": None},
            {"payments_webhook_secrets": ()},
            {"payments_webhook_secrets": ("c2VjcmV0LW9mLXRoZS10ZXN0cy1uZXdlcg==",)},
            {"payments_webhook_secrets": (SECRET, "whsec_c2hvcnQ=")},
            {"payments_webhook_secrets": ("whsec_***",)},
            {"payments_url": "ftp://pay.example"},
            {"payments_url": "pay.example"},
            {"payments_url": "https://name:word@pay.example"},
            {"payments_url": "https://pay.example?x=1"},
        ],
    )
    def test_that_are_wrong_or_incomplete_stop_the_start(self, settings: Settings, wrong: dict[str, Any]) -> None:
        url = wrong.pop("payments_url", "https://pay.example/v1/")
        with pytest.raises(ValueError, match=r"(?i)payments|whsec|https://pay"):
            with_payments(settings, url, **wrong)

    def test_name_a_place_below_which_everything_is(self, settings: Settings) -> None:
        assert with_payments(settings, "https://pay.example/v1/").payments_url == "https://pay.example/v1"


async def test_health_says_off_while_nothing_is_configured(client: httpx.AsyncClient) -> None:
    found = (await client.get("/health")).json()["dependencies"]["payments"]
    assert found == {"status": "off", "latency_ms": None, "detail": None}
