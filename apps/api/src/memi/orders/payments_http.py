"""Payments by HTTP: bounded in time and size, no redirect followed, and every way to fail is one of two."""

import asyncio
from urllib.parse import quote
from uuid import UUID

import httpx
import msgspec

from memi.orders.payments import Answer, Call, Payment, Purpose, Refused, Unavailable

_LARGEST = 64 * 1024
_LONGEST_WAIT = 300
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "memi"}
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_UNDER_WAY = frozenset({408, 409, 425})
_TURNED_AWAY = frozenset({401, 403, 407, 429})
_NO_SUCH_PLACE = frozenset({404, 405})
_ROUTES: dict[Purpose, tuple[str, str]] = {
    "begin": ("POST", "/payments"),
    "look": ("GET", "/payments/{id}"),
    "cancel": ("POST", "/payments/{id}/cancel"),
    "refund": ("POST", "/payments/{id}/refund"),
}


class HttpPayments:
    """`timeout` is seconds for a whole call, from connecting to the last byte."""

    configured = True

    def __init__(self, url: str, token: str, timeout: float, *, https_only: bool) -> None:
        self._url = url
        self._timeout = timeout
        self._https_only = https_only
        self._client = httpx.AsyncClient(
            headers={**_HEADERS, "Authorization": f"Bearer {token}"},
            timeout=timeout,
            follow_redirects=False,
            trust_env=False,
        )

    async def ask(self, call: Call, request_id: UUID) -> Answer:
        """Ask once; raises `Unavailable` or `Refused`."""
        status, wait, body = await self._send(call, request_id)
        if 200 <= status < 300:
            return Answer(status, self._read(call, status, body))
        if status in _TURNED_AWAY or 300 <= status < 400 or (call.purpose == "begin" and status in _NO_SUCH_PLACE):
            raise Unavailable("turned_away", f"it answered {status}", status=status, wait_seconds=wait)
        if status >= 500 or status in _UNDER_WAY:
            raise Unavailable("unclear", f"it answered {status}", status=status, wait_seconds=wait)
        raise Refused(f"it answered {status} to {call.purpose}", status)

    async def _send(self, call: Call, request_id: UUID) -> tuple[int, float | None, bytes]:
        """(status, seconds it wants us to wait, body)."""
        method, path = _ROUTES[call.purpose]
        url = self._url + path.format(id=quote(call.payment_id or "", safe=""))
        headers = {"X-Request-ID": str(request_id)}
        content = None
        if method == "POST":
            headers |= {"Idempotency-Key": call.key, "Content-Type": "application/json"}
            content = msgspec.json.encode(call.body)
        body = bytearray()
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._client.stream(method, url, content=content, headers=headers) as reply,
            ):
                async for part in reply.aiter_raw():
                    body += part
                    if len(body) > _LARGEST:
                        raise Unavailable("unclear", f"it sent over {_LARGEST} bytes", status=reply.status_code)
        except _NEVER_SENT as error:
            raise Unavailable("unreachable", type(error).__name__) from None
        except (httpx.HTTPError, TimeoutError) as error:
            raise Unavailable("unclear", type(error).__name__) from None
        return reply.status_code, _retry_after(reply), bytes(body)

    def _read(self, call: Call, status: int, body: bytes) -> Payment:
        try:
            payment = msgspec.json.decode(body, type=Payment)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Unavailable("unclear", "its reply is not what the contract says", status=status) from None
        if payment.order_id != call.order_id or call.payment_id not in (None, payment.id):
            raise Refused("it answered with another payment", status)
        for name in ("amount", "currency"):
            if call.body.get(name, getattr(payment, name)) != getattr(payment, name):
                raise Refused(f"it answered with another {name}", status)
        if payment.payment_url is None:
            if payment.status == "PENDING":
                raise Refused("its payment has no payment_url", status)
        elif self._https_only and not payment.payment_url.startswith("https://"):
            raise Refused("its payment_url is not https", status)
        return payment

    async def aclose(self) -> None:
        await self._client.aclose()


def _retry_after(reply: httpx.Response) -> float | None:
    value = reply.headers.get("retry-after", "")
    return min(float(value), _LONGEST_WAIT) if value.isascii() and value.isdecimal() and len(value) < 9 else None
