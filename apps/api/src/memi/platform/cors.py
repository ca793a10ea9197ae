"""CORS: what pages of other origins may do with replies. Said of every reply, those of the gateway itself too."""

from collections.abc import Iterable
from typing import Any

Headers = list[tuple[bytes, bytes]]
_REMEMBERED_SECONDS = 600
_METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
_MAY_SEND = b"Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-CSRF-Token, X-Request-ID"
_MAY_READ = b"ETag, Location, X-Request-ID, Retry-After, RateLimit, RateLimit-Policy, Idempotent-Replayed, X-Search-Id"
_VARY = (b"vary", b"Origin")
"""A line beside the route's own; said also to who names no origin, so that no cache gives that reply to a page."""


class Cors:
    """The allowed origins, each to the letter."""

    def __init__(self, origins: Iterable[str]) -> None:
        self._stranger: Headers = [_VARY]
        self._known: dict[bytes, Headers] = {
            origin.encode("latin-1"): [
                _VARY,
                (b"access-control-allow-origin", origin.encode("latin-1")),
                (b"access-control-allow-credentials", b"true"),
                (b"access-control-expose-headers", _MAY_READ),
            ]
            for origin in origins
        }

    def headers_for(self, origin: bytes) -> Headers:
        """What the reply to a page of `origin` says; b"" for who names none."""
        return self._known.get(origin, self._stranger)


async def answer_preflight(send: Any) -> None:
    """What any page may hear of what may be sent; without `access-control-allow-origin` it may send nothing."""
    headers = [
        (b"access-control-allow-methods", _METHODS),
        (b"access-control-allow-headers", _MAY_SEND),
        (b"access-control-max-age", str(_REMEMBERED_SECONDS).encode()),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def is_preflight(scope: Any, origin: bytes) -> bool:
    """Whether a browser asks if a page may call, before it does."""
    if scope["method"] != "OPTIONS" or not origin:
        return False
    return any(name == b"access-control-request-method" for name, _ in scope["headers"])
