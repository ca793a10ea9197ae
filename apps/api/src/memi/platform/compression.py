"""gzip or brotli for JSON over 1 KB."""

import gzip
from collections.abc import Callable
from typing import Any

import brotli

_MINIMUM = 1024
_brotli: Callable[..., bytes] = getattr(brotli, "compress")  # noqa: B009  # the package is untyped
Headers = list[tuple[bytes, bytes]]


def compress(headers: Headers, message: Any, accepts: bytes) -> tuple[Headers, Any]:
    """The reply's headers and whole body, compressed when it is JSON, large enough and the client takes it."""
    body: bytes = message.get("body", b"")
    if len(body) < _MINIMUM or not any(name == b"content-type" and b"json" in value for name, value in headers):
        return headers, message
    codings = {part.split(b";")[0].strip() for part in accepts.split(b",") if b"q=0" not in part.replace(b" ", b"")}
    if b"br" in codings:
        coding, packed = b"br", _brotli(body, quality=4)
    elif b"gzip" in codings:
        coding, packed = b"gzip", gzip.compress(body, 5, mtime=0)
    else:
        return headers, message
    kept = [item for item in headers if item[0] != b"content-length"]
    kept += [(b"content-encoding", coding), (b"content-length", str(len(packed)).encode())]
    kept.append((b"vary", b"Accept-Encoding"))
    return kept, {**message, "body": packed}
