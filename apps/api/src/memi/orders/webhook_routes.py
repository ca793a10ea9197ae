"""HTTP: where the payments service tells its events. No sign-in: the signature is the proof."""

import msgspec
from litestar import Router, post

from memi.orders.webhooks import LARGEST, Heard, InvalidSignature, MalformedWebhook, Signatures, hear
from memi.platform.dependencies import AnyRequest, App, Session
from memi.platform.errors import BodyTooLarge, NotFound
from memi.platform.problems import problems


class WebhookReceipt(msgspec.Struct):
    """What became of the event. Each is final: sent again it would be a `duplicate`."""

    outcome: Heard


@post(
    "/webhooks/payments",
    status_code=200,
    request_max_body_size=LARGEST,
    responses=problems(NotFound, InvalidSignature, MalformedWebhook, BodyTooLarge),
)
async def receive_payment_event(request: AnyRequest, app: App, session: Session) -> WebhookReceipt:
    """For the payments service alone: an event signed by Standard Webhooks, as docs/payments.md says.

    200 once it is recorded with its effect, whatever it was; anything else means that it may be sent again.
    """
    signatures = app.adapters.get(Signatures)
    if not signatures.configured:
        raise NotFound
    body = await request.body()
    webhook_id = signatures.verify(body, request.headers)
    return WebhookReceipt(await hear(session, webhook_id, body))


router = Router("", route_handlers=[receive_payment_event], tags=["payments"])
