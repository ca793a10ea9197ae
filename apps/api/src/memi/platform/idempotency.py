"""`Idempotency-Key`: a POST that is sent again gets the stored reply instead of a second effect.

The reply is stored in the transaction of the effect, so there is never one without the other. A lock of that same
transaction tells a repeat that the first is still running; a crash lets go of it with everything else.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar import Response
from litestar.handlers import BaseRouteHandler
from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform import idempotency_queries as queries
from memi.platform.dependencies import AnyRequest, asks_for_caller, provide_session
from memi.platform.errors import AppError, ValidationFailed
from memi.platform.idempotency_queries import StoredReply
from memi.platform.request_state import state_of
from memi.platform.unit_of_work import forget_told

HEADER = "idempotency-key"
KEPT_HOURS = 24
REPEATABLE = "repeatable"
"""In the `opt` of a POST whose reply must never be stored: False."""
_KEY = re.compile(r"[\x21-\x7e]{1,255}").fullmatch
_NEVER = "/api/v1/auth/"
_PASSING = frozenset({401, 408, 425, 429})
"""Refusals of the moment, not of the request: the next try is a new one."""
_KEPT_HEADERS = frozenset({b"content-type", b"location", b"etag", b"cache-control"})


class IdempotencyMismatch(AppError):
    code, status, title = "idempotency_mismatch", 422, "This Idempotency-Key was used with another request."


class IdempotencyInProgress(AppError):
    code, status, title = "idempotency_in_progress", 409, "The request with this Idempotency-Key is still running."

    def __init__(self) -> None:
        super().__init__(None, headers={"Retry-After": "1"})


class Replayed(Exception):
    """Not a failure: the request was served before, and this is what it was told."""

    def __init__(self, reply: StoredReply) -> None:
        super().__init__(reply.status)
        self.reply = reply


@dataclass
class Running:
    """A request under a key, whose reply the gateway stores."""

    user_id: UUID
    key: str
    fingerprint: bytes

    async def keep(self, session: AsyncSession, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bool:
        """Store the reply if it is one that a repeat shall get; what a refused request left undone is undone first."""
        if status >= 500 or status in _PASSING:
            return False
        if status >= 400:
            await queries.undo(session)
            forget_told(session)
        kept = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in headers if name in _KEPT_HEADERS]
        await queries.store(session, self.user_id, self.key, self.fingerprint, StoredReply(status, kept, body))
        return True


def is_repeatable(handler: BaseRouteHandler, path: str) -> bool:
    """Whether a POST takes a key: it needs a caller, and its reply holds no token."""
    return asks_for_caller(handler) and handler.opt.get(REPEATABLE, True) and not path.startswith(_NEVER)


async def begin(request: AnyRequest, user_id: UUID) -> None:
    """Take the request's key, if it has one.

    Raises `Replayed`, `IdempotencyMismatch`, `IdempotencyInProgress`, and `ValidationFailed` for a malformed key.
    """
    key = request.headers.get(HEADER)
    if key is None or request.method != "POST" or not is_repeatable(request.route_handler, request.scope["path"]):
        return
    if not _KEY(key):
        raise ValidationFailed.of("/Idempotency-Key", "bad_format", "Must be 1 to 255 visible ASCII characters.")
    session = provide_session(request)
    if not await queries.try_lock(session, user_id, key):
        raise IdempotencyInProgress
    fingerprint = await _fingerprint(request)
    found = await queries.find(session, user_id, key)
    if found is not None:
        if found.fingerprint != fingerprint:
            raise IdempotencyMismatch
        raise Replayed(found.reply)
    await queries.mark(session)
    state_of(request.scope).idempotency = Running(user_id, key, fingerprint)


async def _fingerprint(request: AnyRequest) -> bytes:
    """What makes two requests the same: where they go and what they carry."""
    digest = hashlib.sha256(request.scope["path"].encode())
    digest.update(b"?" + request.scope["query_string"] + b"\0" + await request.body())
    return digest.digest()


def replay(_: AnyRequest, exception: Replayed) -> Response[Any]:
    """The stored reply, marked as such."""
    headers = {name: value for name, value in exception.reply.headers if name != "content-type"}
    content_type = next((value for name, value in exception.reply.headers if name == "content-type"), None)
    return Response(
        exception.reply.body,
        status_code=exception.reply.status,
        media_type=content_type,
        headers={**headers, "Idempotent-Replayed": "true"},
    )
