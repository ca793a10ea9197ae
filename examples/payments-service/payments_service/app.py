"""HTTP: the contract of memi's docs/payments.md, a page to pay at, and the knobs."""

import asyncio
import hmac
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from html import escape
from typing import Any
from urllib.parse import parse_qs

import msgspec
from litestar import Litestar, Request, Response, Router, get, post, put
from litestar.datastructures import State

from payments_service.config import Config
from payments_service.delivery import Delivery
from payments_service.knobs import Knobs
from payments_service.store import KeyReused, Row, Store

Ask = Request[Any, Any, State]
PAGE = """<!doctype html><meta charset="utf-8"><title>Pay</title>
<h1>{description}</h1><p>{amount} {currency}</p><p>{status}</p>
<form method="post"><button name="outcome" value="pay">Pay</button>
<button name="outcome" value="fail">Fail</button></form>"""


class Asked(msgspec.Struct):
    """What memi orders a payment with. Money in minor units."""

    order_id: str
    amount: int
    currency: str
    description: str = ""
    return_url: str | None = None


async def admit(request: Ask) -> Response[Any] | None:
    """Only who has the token; and the misbehaviour that was ordered."""
    given = request.headers.get("authorization", "").encode()
    if not hmac.compare_digest(given, f"Bearer {request.app.state.config.token}".encode()):
        return Response({"code": "not_authenticated"}, status_code=401)
    if request.scope["path"].startswith("/admin"):
        return None
    knobs: Knobs = request.app.state.knobs
    await knobs.hold_up()
    return Response({"code": "told_to_fail"}, status_code=500) if knobs.use("fail") else None


def reply(request: Ask, payment: Row | None, status: int = 200) -> Response[Any]:
    if payment is None:
        return Response({"code": "not_found"}, status_code=404)
    if request.app.state.knobs.use("lose"):
        return Response({"code": "told_to_lose_the_reply"}, status_code=500)
    shown = {name: payment[name] for name in ("id", "order_id", "status", "amount", "currency", "updated_at")}
    url = f"{request.app.state.config.base_url}/pay/{payment['id']}"
    return Response({**shown, "payment_url": url}, status_code=status)


async def once(request: Ask) -> tuple[str, bytes, Row | None] | Response[Any]:
    """(key, body, what the key was answered with before)."""
    key, body = request.headers.get("idempotency-key"), await request.body()
    if not key:
        return Response({"code": "idempotency_key_required"}, status_code=400)
    try:
        return key, body, request.app.state.store.answered(key, request.scope["path"], body)
    except KeyReused:
        return Response({"code": "idempotency_mismatch"}, status_code=422)


@post("/payments")
async def begin(request: Ask) -> Response[Any]:
    found = await once(request)
    if isinstance(found, Response):
        return found
    key, body, payment = found
    if payment is None:
        try:
            asked = msgspec.json.decode(body, type=Asked)
        except msgspec.DecodeError:
            return Response({"code": "malformed"}, status_code=422)
        payment = request.app.state.store.begin(key, request.scope["path"], body, msgspec.structs.asdict(asked))
    return reply(request, payment, 201)


@get("/payments/{payment_id:str}")
async def read(request: Ask, payment_id: str) -> Response[Any]:
    return reply(request, request.app.state.store.payment(payment_id))


@post(["/payments/{payment_id:str}/cancel", "/payments/{payment_id:str}/refund"], status_code=200)
async def move(request: Ask, payment_id: str) -> Response[Any]:
    """Cancel what is not paid, or give back what is; else the payment as it is."""
    found = await once(request)
    if isinstance(found, Response):
        return found
    key, body, payment = found
    path: str = request.scope["path"]
    store: Store = request.app.state.store
    if payment is None and store.payment(payment_id) is not None:
        payment = store.move(payment_id, path.rpartition("/")[2], key, path, body)
    return reply(request, payment)


@get("/pay/{payment_id:str}", media_type="text/html")
async def page(request: Ask, payment_id: str) -> Response[str]:
    payment = request.app.state.store.payment(payment_id)
    if payment is None:
        return Response("There is no such payment.", status_code=404)
    return Response(PAGE.format_map({name: escape(str(value)) for name, value in payment.items()}))


@post("/pay/{payment_id:str}", media_type="text/html")
async def settle(request: Ask, payment_id: str) -> Response[str]:
    """A button was pressed."""
    outcome = parse_qs((await request.body()).decode()).get("outcome", [""])[0]
    payment = request.app.state.store.payment(payment_id)
    if payment is None or outcome not in ("pay", "fail"):
        return Response("There is nothing to do.", status_code=404)
    payment = request.app.state.store.move(payment_id, outcome)
    if payment["return_url"]:
        return Response("", status_code=303, headers={"Location": payment["return_url"]})
    return Response(payment["status"], status_code=200)


@put("/admin/knobs")
async def turn(request: Ask) -> Response[Any]:
    """Turn the knobs that are named; the others stay."""
    knobs: Knobs = request.app.state.knobs
    try:
        wanted = msgspec.json.decode(await request.body(), type=Knobs)
    except msgspec.DecodeError as error:
        return Response({"code": "malformed", "detail": str(error)}, status_code=422)
    for name in msgspec.json.decode(await request.body()):
        setattr(knobs, name, getattr(wanted, name))
    return Response(msgspec.to_builtins(knobs))


@get("/admin/events")
async def events(request: Ask) -> Response[Any]:
    """Every event there ever was, whether it has been told, and how many tries failed."""
    return Response(request.app.state.store.events())


def create_app(config: Config) -> Litestar:
    store, knobs = Store(config.data), Knobs()

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncGenerator[None]:
        delivery = Delivery(store, knobs, config.webhook_secret, config.webhook_url)
        task = asyncio.create_task(delivery.run(), name="webhooks")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            store.close()

    guarded = Router("", route_handlers=[begin, read, move, turn, events], before_request=admit)
    return Litestar(
        [guarded, page, settle],
        lifespan=[lifespan],
        state=State({"config": config, "store": store, "knobs": knobs}),
        openapi_config=None,
    )
