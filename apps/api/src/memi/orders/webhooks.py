"""What the payments service tells: proved to be its own, taken once, and made into the order's next status."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Literal
from uuid import UUID

import msgspec
import structlog
from litestar.datastructures import Headers
from sqlalchemy.ext.asyncio import AsyncSession
from standardwebhooks import Webhook, WebhookVerificationError

from memi.orders import payment_queries, service
from memi.orders.paying import Outcome
from memi.orders.payments import Amount, Currency, PaymentId, Time
from memi.platform import metrics
from memi.platform.errors import AppError

log = structlog.get_logger(__name__)
LARGEST = 64 * 1024
_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
_ID = re.compile(r"[A-Za-z0-9_:\-]{1,255}").fullmatch
"""No full stop: it is what separates the signed parts."""
_TIMESTAMP = re.compile(r"[0-9]{1,12}").fullmatch
_SIGNATURES = re.compile(r"[\x20-\x7e]{1,2048}").fullmatch
_YEARS = range(2000, 2201)

Heard = Outcome | Literal["ignored", "duplicate"]


class InvalidSignature(AppError):
    code, status, title = "invalid_signature", 401, "The signature is not of this body, at about this time."


class MalformedWebhook(AppError):
    code, status, title = "malformed_webhook", 400, "The event is signed, but is not what the contract says."


class Data(msgspec.Struct, frozen=True):
    """What every event says of its payment; money in minor units."""

    order_id: UUID
    payment_id: PaymentId
    amount: Amount
    currency: Currency


class Event(msgspec.Struct, frozen=True):
    """The envelope of Standard Webhooks. Members that we do not know are left alone."""

    type: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_.\-]{1,100}\Z")]
    timestamp: Time
    data: msgspec.Raw


class Signatures:
    """Verifies what is signed with any of the secrets: the old ones stay good until they are taken out."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._webhooks = [Webhook(secret) for secret in secrets]

    @property
    def configured(self) -> bool:
        return bool(self._webhooks)

    def verify(self, body: bytes, headers: Headers) -> str:
        """The event's id; raises `InvalidSignature`."""
        found = {name: headers.getall(name, []) for name in _HEADERS}
        if any(len(values) != 1 for values in found.values()):
            raise InvalidSignature(f"There must be one of each of {', '.join(_HEADERS)}.")
        given = {name: values[0] for name, values in found.items()}
        if not (
            _ID(given["webhook-id"])
            and _TIMESTAMP(given["webhook-timestamp"])
            and _SIGNATURES(given["webhook-signature"])
        ):
            raise InvalidSignature("The headers do not have the expected form.")
        for webhook in self._webhooks:
            try:
                webhook.verify(body, given, json_parse=False)
            except (WebhookVerificationError, ValueError):  # ValueError: no text, or no base64
                continue
            return given["webhook-id"]
        raise InvalidSignature


async def _succeeded(session: AsyncSession, data: Data, event: Event) -> Outcome:
    return await service.payment_succeeded(
        session,
        data.order_id,
        payment_id=data.payment_id,
        amount=data.amount,
        currency=data.currency,
        at=event.timestamp,
    )


async def _failed(session: AsyncSession, data: Data, event: Event) -> Outcome:
    return await service.payment_failed(session, data.order_id, payment_id=data.payment_id, at=event.timestamp)


async def _refunded(session: AsyncSession, data: Data, event: Event) -> Outcome:
    return await service.payment_refunded(
        session,
        data.order_id,
        payment_id=data.payment_id,
        amount=data.amount,
        currency=data.currency,
        at=event.timestamp,
    )


_EFFECTS: dict[str, Callable[[AsyncSession, Data, Event], Awaitable[Outcome]]] = {
    "payment.succeeded": _succeeded,
    "payment.failed": _failed,
    "payment.refunded": _refunded,
}


async def hear(session: AsyncSession, webhook_id: str, body: bytes) -> Heard:
    """Record a genuine event with its effect, in this transaction; raises `MalformedWebhook`.

    Whatever it does not fit, sending it again would not help: it is recorded and, where staff should look, flagged.
    """
    event = _decoded(body)
    effect = _EFFECTS.get(event.type)
    data = None if effect is None else _data_of(event)
    payment_id = None if data is None else data.payment_id
    if not await payment_queries.record_delivery(session, webhook_id, event.type, payment_id, event.timestamp):
        return _told(event, data, webhook_id, "duplicate")
    if effect is None or data is None:
        return _told(event, data, webhook_id, "ignored")
    outcome = await effect(session, data, event)
    order_id = None if outcome == "unknown_order" else data.order_id
    await payment_queries.record_outcome(session, webhook_id, outcome, order_id)
    return _told(event, data, webhook_id, outcome)


def _told(event: Event, data: Data | None, webhook_id: str, outcome: Heard) -> Heard:
    metrics.PAYMENT_WEBHOOKS.labels(outcome).inc()
    log.info(
        "payment_event",
        webhook_id=webhook_id,
        type=event.type,
        order_id=None if data is None else str(data.order_id),
        outcome=outcome,
    )
    return outcome


def _decoded(body: bytes) -> Event:
    try:
        event = msgspec.json.decode(body, type=Event)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedWebhook from None
    if event.timestamp.year not in _YEARS:
        raise MalformedWebhook("The timestamp is of another age.")
    return event


def _data_of(event: Event) -> Data:
    try:
        return msgspec.json.decode(event.data, type=Data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedWebhook(f"The data is not that of {event.type}.") from None
