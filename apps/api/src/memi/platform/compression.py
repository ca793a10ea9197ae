"""gzip or brotli for JSON over 1 KB."""

import gzip
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

import brotli
from litestar.types import Message

_MINIMUM = 1024
_USUAL = 200
"""Bytes of what a client says that it takes."""
_REFUSED = re.compile(rb";q=0(\.0*)?$").search
_PACK: dict[bytes, Callable[[bytes], bytes]] = {
    b"br": lambda body: cast(bytes, brotli.compress(body, quality=4)),  # pyright: ignore[reportUnknownMemberType]  # untyped
    b"gzip": lambda body: gzip.compress(body, 5, mtime=0),
}
Headers = list[tuple[bytes, bytes]]


def compress(headers: Headers, message: Any, accepts: bytes) -> tuple[Headers, Message]:
    """The reply's headers and whole body, compressed when it is JSON, large enough and the client takes it."""
    body: bytes = message.get("body", b"")
    if len(body) < _MINIMUM or not any(name == b"content-type" and b"json" in value for name, value in headers):
        return headers, message
    if not any(name == b"vary" and b"Accept-Encoding" in value for name, value in headers):
        headers = [*headers, (b"vary", b"Accept-Encoding")]
    coding = _coding(accepts) if accepts else None
    if coding is None:
        return headers, message
    packed = _PACK[coding](body)
    kept = [item for item in headers if item[0] != b"content-length"]
    kept += [(b"content-encoding", coding), (b"content-length", str(len(packed)).encode())]
    message = {**message, "body": packed}
    return kept, message


def _coding(accepts: bytes) -> bytes | None:
    # What browsers send is short and the same again; nothing longer may fill the memory.
    return _choose(accepts) if len(accepts) <= _USUAL else _choose.__wrapped__(accepts)


@lru_cache(maxsize=256)
def _choose(accepts: bytes) -> bytes | None:
    offered = accepts.replace(b" ", b"").lower().split(b",")
    codings = {part.partition(b";")[0] for part in offered if not _REFUSED(part)}
    return next((coding for coding in _PACK if coding in codings), None)
