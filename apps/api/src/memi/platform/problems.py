"""Every error as application/problem+json (RFC 9457), and how routes declare theirs."""

import asyncio
from typing import Any, cast

import asyncpg
import msgspec
import sqlalchemy.exc
import structlog
from litestar import Request, Response
from litestar.datastructures import State
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    SerializationException,
    ValidationException,
)
from litestar.openapi.datastructures import ResponseSpec

from memi.platform import errors
from memi.platform.errors import AppError, FieldError
from memi.platform.request_state import RequestState, state_of
from memi.platform.unit_of_work import is_conflict

log = structlog.get_logger(__name__)
MEDIA_TYPE = "application/problem+json"
TYPE_BASE = "/docs/errors#"
AnyRequest = Request[Any, Any, State]


class Problem(msgspec.Struct, omit_defaults=False):
    """An error as RFC 9457 has it. `code` is stable; refusals may add members of their own."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str


class ValidationProblem(Problem):
    """A 422 that names every invalid field."""

    errors: list[FieldError]


class MethodNotAllowed(AppError):
    code, status, title = "method_not_allowed", 405, "This method is not allowed here."


class BadRequest(AppError):
    code, status, title = "bad_request", 400, "The request could not be read."


def problems(*kinds: type[AppError]) -> dict[int, ResponseSpec]:
    """The `responses=` of a route: one entry per status, describing each code."""
    by_status: dict[int, list[type[AppError]]] = {}
    for kind in kinds:
        by_status.setdefault(kind.status, []).append(kind)
    return {
        status: ResponseSpec(
            data_container=ValidationProblem if status == 422 else Problem,
            media_type=MEDIA_TYPE,
            generate_examples=False,
            description=" ".join(f"`{kind.code}`: {kind.title}" for kind in kinds_of),
        )
        for status, kinds_of in by_status.items()
    }


def document(error: AppError, *, instance: str, request_id: str) -> dict[str, object]:
    """The members of the problem document of `error`."""
    return {
        "type": TYPE_BASE + error.code,
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": instance,
        "code": error.code,
        "request_id": request_id,
        **error.fields,
    }


def handle_exception(request: AnyRequest, exception: Exception) -> Response[Any]:
    """Litestar's one exception handler."""
    state = state_of(request.scope)
    error = to_app_error(exception, state)
    if isinstance(exception, MethodNotAllowedException) and exception.headers:
        allowed = exception.headers.get("allow", "")
        error.headers["Allow"] = allowed.replace("GET", "GET, HEAD")  # the gateway answers HEAD wherever GET is
    return Response(
        document(error, instance=request.scope["path"], request_id=state.request_id),
        status_code=error.status,
        media_type=MEDIA_TYPE,
        headers=error.headers,
    )


def to_app_error(exception: BaseException, state: RequestState) -> AppError:
    """What the caller is told of `exception`; what they are not told is logged."""
    if isinstance(exception, AppError):
        return exception
    if isinstance(exception, ExceptionGroup):
        return to_app_error(cast("ExceptionGroup[Exception]", exception).exceptions[0], state)
    if is_conflict(exception):
        state.conflict = True
        return errors.ServiceBusy("Others changed the same thing at once; try again.")
    if isinstance(exception, HTTPException):
        return BadRequest() if state.disconnected else _of_litestar(exception)
    if isinstance(exception, sqlalchemy.exc.TimeoutError):
        return errors.ServiceBusy("No database connection came free in time.")
    if _is_lost_database(exception):
        log.warning("database_unavailable", error=type(exception).__name__)
        return errors.ServiceBusy("The database is not reachable; try again shortly.", retry_after=2)
    if _is_statement_timeout(exception):
        return errors.RequestTimedOut()
    log.error("unhandled_exception", exc_info=exception)
    return errors.InternalError()


def _of_litestar(exception: HTTPException) -> AppError:
    if isinstance(exception, NotFoundException):
        return errors.NotFound()
    if isinstance(exception, MethodNotAllowedException):
        return MethodNotAllowed()
    if isinstance(exception, ValidationException):
        extra: Any = exception.extra or []
        found = [FieldError(f"/{item.get('key', '')}", "invalid", "Is not a valid value.") for item in extra]
        return errors.ValidationFailed(found)
    if exception.status_code == 413:
        return errors.BodyTooLarge()
    if isinstance(exception.__cause__, SerializationException):
        return errors.MalformedJson()
    if exception.status_code < 500:
        return BadRequest()
    log.error("unhandled_exception", exc_info=exception)
    return errors.InternalError()


def _is_lost_database(exception: BaseException) -> bool:
    if isinstance(exception, sqlalchemy.exc.DBAPIError):
        state = str(getattr(exception.orig, "sqlstate", None) or "")
        return (
            exception.connection_invalidated
            or state.startswith(("08", "57P"))
            or _is_lost_database(exception.orig or ValueError())
            or _is_lost_database(getattr(exception.orig, "__cause__", None) or ValueError())
        )
    return isinstance(
        exception,
        ConnectionError
        | asyncpg.PostgresConnectionError
        | asyncpg.CannotConnectNowError
        | asyncpg.AdminShutdownError
        | asyncpg.CrashShutdownError
        | asyncpg.TooManyConnectionsError
        | asyncio.TimeoutError,
    ) or (
        (isinstance(exception, asyncpg.InterfaceError) and "clos" in str(exception))  # connection, or pool
        # The server's last words have come to an idle connection, its end not yet.
        or (isinstance(exception, asyncpg.InternalClientError) and "another operation" in str(exception))
    )


def _is_statement_timeout(exception: BaseException) -> bool:
    if isinstance(exception, sqlalchemy.exc.DBAPIError):
        return str(getattr(exception.orig, "sqlstate", "")) == "57014"
    return isinstance(exception, asyncpg.QueryCanceledError)
