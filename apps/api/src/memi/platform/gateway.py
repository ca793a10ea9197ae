"""The one ASGI middleware: request id, bounds, retries of conflicts, browsers' headers, compression, metrics, log."""

import asyncio
import itertools
import re
import secrets
import time
from typing import Any

import asyncpg
import msgspec
import structlog
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import Histogram
from sqlalchemy.exc import DBAPIError

from memi.platform import metrics
from memi.platform.compression import compress
from memi.platform.cors import Cors, answer_preflight, is_preflight
from memi.platform.entrance import Entrance
from memi.platform.errors import AppError, InternalError, RequestTimedOut
from memi.platform.etags import is_unchanged
from memi.platform.principal import Principal
from memi.platform.problems import MEDIA_TYPE, document, to_app_error
from memi.platform.request_state import KeepsReply, RequestState, set_state
from memi.platform.settings import Settings
from memi.platform.time_limit import TimeLimit, TimeLimits
from memi.platform.unit_of_work import OpenUnit

log = structlog.get_logger("memi.access")
_SAFE_ID = re.compile(r"[A-Za-z0-9._\-]{1,64}").fullmatch
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_METHODS = _SAFE_METHODS | {"POST", "PUT", "PATCH", "DELETE"}
_TRIES = 4  # the first, and at most three more after a conflict

Headers = list[tuple[bytes, bytes]]


def security_headers(settings: Settings) -> Headers:
    """The headers every reply carries."""
    headers = [
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", b"no-referrer"),
        (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=()"),
        (b"cross-origin-resource-policy", b"cross-origin" if settings.web_origins else b"same-origin"),
    ]
    if settings.is_production:
        headers.append((b"strict-transport-security", b"max-age=63072000; includeSubDomains"))
    return headers


_DEFAULTS = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"private, no-store"),
)


class Gateway:
    """Wraps the whole application; nothing is between it and the server."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._fixed = security_headers(settings)
        self.cors = Cors(settings.web_origins) if settings.web_origins else None
        self.request_seconds = settings.request_seconds
        self.time_limits = TimeLimits(min(0.5, settings.request_seconds / 4))
        self._log = settings.access_log
        self._process_id = secrets.token_hex(12)
        self._counter = itertools.count(1)
        self._entrance = Entrance()
        self._histograms: dict[tuple[str, str, int], Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["method"] not in _SAFE_METHODS:
            await self._entrance.enter()
        await _Exchange(self, scope, receive, send).run()

    def finish(self, scope: Any, status: int, started: float) -> None:
        seconds = time.perf_counter() - started
        method: str = scope["method"]
        # Anybody may make a method up; the labels of a metric stay few.
        key = (method if method in _METHODS else "other", scope.get("path_template") or "unmatched", status)
        histogram = self._histograms.get(key)
        if histogram is None:
            histogram = self._histograms[key] = metrics.REQUESTS.labels(key[0], key[1], str(status))
        histogram.observe(seconds)
        if self._log == "all" or (self._log == "writes" and (method not in _SAFE_METHODS or status >= 500)):
            principal = scope["memi"].principal
            log.info(
                "request",
                method=method,
                # The template, not the path: an upload's address is its permission.
                route=scope.get("path_template") or "unmatched",
                status=status,
                ms=round(seconds * 1000, 1),
                user_id=str(principal.user_id) if principal else None,
                **_in_anothers_place(principal),
            )

    def new_request_id(self) -> str:
        """Unique among all processes, and cheap: random once, then counted."""
        return f"{self._process_id}{next(self._counter):08x}"

    @property
    def fixed_headers(self) -> Headers:
        return self._fixed


def _in_anothers_place(principal: Principal | None) -> dict[str, str]:
    impersonator = principal.impersonator_id if principal else None
    return {} if impersonator is None else {"impersonator_id": str(impersonator)}


class _Exchange:
    """One request and its reply."""

    # Most requests leave these as they are.
    _accepts = _origin = _has = b""
    _start: Any = None
    _sent = _dropped = _failed = _last_try = False
    _status = 500
    _limit: TimeLimit | None = None

    def __init__(self, gateway: Gateway, scope: Any, receive: Receive, send: Send) -> None:
        self._gateway = gateway
        self._scope = scope
        self._receive = receive
        self._send = send
        request_id = ""
        for name, value in scope["headers"]:
            if name == b"x-request-id":
                request_id = value.decode("latin-1")
            elif name == b"accept-encoding":
                self._accepts = value
            elif name == b"if-none-match":
                self._has = value
            elif name == b"origin":
                self._origin = value
        if not _SAFE_ID(request_id):
            request_id = gateway.new_request_id()
        self._state = RequestState(request_id)
        self._replay: list[Any] = []
        self._recorded: list[Any] = []
        self._held: list[Any] = []
        self._head = scope["method"] == "HEAD"

    async def run(self) -> None:
        started = time.perf_counter()
        structlog.contextvars.bind_contextvars(request_id=self._state.request_id)
        repeatable = self._scope["method"] not in _SAFE_METHODS
        receive: Any = self._record if repeatable else self._receive
        if not (repeatable or self._head):
            set_state(self._scope, self._state)
            self._last_try = True  # a read holds nothing that others could want
            try:
                await self._forward(self._scope, receive)
            finally:
                if self._state.unit is not None:
                    await self._close_unit()
                self._gateway.finish(self._scope, self._status, started)
            return
        template = dict(self._scope)
        if self._head:
            template["method"] = "GET"  # the same reply; only its body is kept back
        try:
            for attempt in range(1, _TRIES + 1):
                scope = dict(template)
                set_state(scope, self._state)
                self._last_try = attempt == _TRIES
                try:
                    await self._forward(scope, receive)
                finally:
                    await self._close_unit()
                self._scope = scope
                if not self._dropped:
                    break
                self._state = RequestState(self._state.request_id, limits=self._state.limits)
                self._dropped = self._failed = False
                self._replay, self._recorded, self._held = self._recorded, [], []
                await asyncio.sleep(0.005 * 2**attempt)
        finally:
            self._gateway.finish(self._scope, self._status, started)

    async def _forward(self, scope: Any, receive: Receive) -> None:
        try:
            with self._gateway.time_limits.of(self._gateway.request_seconds) as self._limit:
                self._state.time_limit = self._limit
                if self._gateway.cors is not None and is_preflight(scope, self._origin):
                    await answer_preflight(self._reply)
                else:
                    await self._gateway.app(scope, receive, self._reply)
        except TimeoutError:
            await self._fail(RequestTimedOut())
        except Exception as exception:
            # Litestar maps what handlers raise; only what fails outside of them comes here, and must end as a problem.
            error = to_app_error(exception, self._state)
            await self._fail(error if not self._sent else InternalError())

    async def _record(self) -> Any:
        message: Any = self._replay.pop(0) if self._replay else await self._receive()
        if not self._state.streamed:
            self._recorded.append(message)
        if message["type"] == "http.disconnect":
            self._state.disconnected = True
        return message

    async def _close_unit(self) -> None:
        unit, self._state.unit = self._state.unit, None
        if unit is None:
            return
        try:
            await unit.close()
        except (OSError, DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            # The reply is decided; a connection that cannot even be given back is gone, and its transaction with it.
            log.warning("unit_not_closed", error=type(error).__name__)

    async def _reply(self, message: Any) -> None:
        """Pass a part of the application's reply on, its unit of work committed before the first."""
        if self._failed:
            return
        if self._state.idempotency is not None:
            await self._reply_once(message, self._state.idempotency)
            return
        if message["type"] == "http.response.start" and self._state.unit is not None and message["status"] < 400:
            try:
                await self._commit(self._state.unit)
            except Exception as exception:
                await self._take_back(exception)
                return
        await self._pass(message)

    async def _reply_once(self, message: Any, running: KeepsReply) -> None:
        """Under an Idempotency-Key nothing is sent before the whole reply is stored and committed with its effect."""
        self._held.append(message)
        if message["type"] == "http.response.start" or message.get("more_body"):
            return
        (start, *parts), self._held = self._held, []
        unit = self._state.unit
        assert unit is not None
        try:
            body = b"".join(part.get("body", b"") for part in parts)
            if await running.keep(unit.session, start["status"], list(start["headers"]), body):
                await self._commit(unit)
        except Exception as exception:
            await self._take_back(exception)
            return
        for part in (start, *parts):
            await self._pass(part)

    async def _take_back(self, exception: Exception) -> None:
        """The reply said it was done; it is not, so the caller hears what happened instead."""
        self._failed = True
        await self._pass_problem(to_app_error(exception, self._state))

    async def _commit(self, unit: OpenUnit) -> None:
        """Commit undisturbed by the request's time limit: a commit cut off in the middle has an unknown end."""
        limit = self._limit
        assert limit is not None
        if limit.struck:
            await asyncio.sleep(0)  # time is over already; this is where its cancellation arrives
        limit.suspend()
        await unit.commit()
        limit.extend(self._gateway.request_seconds)

    async def _pass(self, message: Any) -> None:
        if self._state.conflict and not self._last_try and not self._state.streamed:
            self._dropped = True
            return
        if message["type"] == "http.response.start":
            self._start = message
            return
        if not self._sent:
            message = self._open(message)
            self._sent = True
            await self._send(self._start)
        elif self._head:
            return
        if self._head:
            message = {**message, "body": b"", "more_body": False}
        await self._send(message)

    def _open(self, message: Any) -> Message:
        """Complete the start of the reply, now that its first part is known."""
        if self._has and not message.get("more_body"):
            message = self._spare_what_it_has(message)
        start = self._start
        self._status = start["status"]
        present = {name for name, _ in start["headers"]}
        request_id = (b"x-request-id", self._state.request_id.encode())
        headers: Headers = [*start["headers"], request_id, *self._gateway.fixed_headers]
        if self._gateway.cors is not None:
            headers.extend(self._gateway.cors.headers_for(self._origin))
        headers.extend(self._state.headers)
        headers.extend([item for item in _DEFAULTS if item[0] not in present])
        if not message.get("more_body") and b"content-encoding" not in present:
            headers, message = compress(headers, message, self._accepts)
        self._start = {**start, "headers": headers}
        return message

    def _spare_what_it_has(self, message: Any) -> Any:
        """The body, or nothing and 304 for a read of what the caller has already."""
        start = self._start
        tag = next((value for name, value in start["headers"] if name.lower() == b"etag"), None)
        if tag is None or start["status"] != 200 or not (self._head or self._scope["method"] == "GET"):
            return message
        if not is_unchanged(self._has.decode("latin-1"), tag.decode("latin-1")):
            return message
        kept = [item for item in start["headers"] if item[0].lower() not in (b"content-length", b"content-type")]
        self._start = {**start, "status": 304, "headers": kept}
        return {**message, "body": b""}

    async def _fail(self, error: AppError) -> None:
        if self._sent:
            # Bytes are out already: closing the connection short is the only honest end.
            raise error
        await self._pass_problem(error)

    async def _pass_problem(self, error: AppError) -> None:
        # Nothing was done, so a browser keeps the sign-in that it has.
        self._state.headers = [item for item in self._state.headers if item[0] != b"set-cookie"]
        body = msgspec.json.encode(document(error, instance=self._scope["path"], request_id=self._state.request_id))
        headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
        headers.extend((name.lower().encode(), value.encode()) for name, value in error.headers.items())
        await self._pass({"type": "http.response.start", "status": error.status, "headers": headers})
        await self._pass({"type": "http.response.body", "body": body, "more_body": False})
