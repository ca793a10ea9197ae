"""A reply that is bytes already: for hot reads, where building a response object would cost more than the answer."""

from collections.abc import Mapping
from typing import Any

from litestar.types import Receive, Scope, Send

from memi.platform.etags import is_unchanged

Headers = list[tuple[bytes, bytes]]
JSON = (b"content-type", b"application/json")


class ReadyReply:
    """An ASGI application of its own; Litestar sends it as it is."""

    __slots__ = ("_body", "_headers", "_status")

    def __init__(self, body: bytes, headers: Headers, status: int = 200) -> None:
        self._body = body
        self._headers = headers
        self._status = status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Any = {"type": "http.response.start", "status": self._status, "headers": self._headers}
        body: Any = {"type": "http.response.body", "body": self._body, "more_body": False}
        await send(start)
        await send(body)


def header_of(scope: Mapping[str, Any], name: bytes) -> bytes | None:
    """A request's header, without building an object for all of them; `name` in lower case."""
    for found, value in scope["headers"]:
        if found == name:
            return value
    return None


def conditional(scope: Mapping[str, Any], body: bytes, headers: Headers, tag: bytes) -> ReadyReply:
    """`body` with its ETag, or 304 for who has it already."""
    asked = header_of(scope, b"if-none-match")
    if asked is not None and is_unchanged(asked.decode("latin-1"), tag.decode()):
        return ReadyReply(b"", [*headers, (b"etag", tag)], 304)
    return ReadyReply(body, [JSON, (b"content-length", b"%d" % len(body)), *headers, (b"etag", tag)])
