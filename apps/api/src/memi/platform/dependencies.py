"""What routes ask for by type: the runtime, a unit of work, the caller, a validated query."""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar, get_origin
from urllib.parse import parse_qsl
from uuid import UUID

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.handlers import BaseRouteHandler
from litestar.params import PathParameter
from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.browser import BrowserCookies
from memi.platform.errors import (
    FieldError,
    MfaEnrolmentRequired,
    NotAuthenticated,
    PermissionDenied,
    StaleVersion,
    StepUpRequired,
    UnsupportedMediaType,
    ValidationFailed,
)
from memi.platform.impersonation import refuse_in_anothers_place
from memi.platform.json_bounds import check_json
from memi.platform.permissions import Permission
from memi.platform.principal import AccessTokens, Principal, SessionCheck
from memi.platform.request_state import RequestState, state_of
from memi.platform.runtime import Runtime
from memi.platform.validation import RequestModel, parse_query, pointer

AnyRequest = Request[Any, Any, State]
Connection = ASGIConnection[Any, Any, Any, State]
Q = TypeVar("Q", bound=RequestModel)

Session = NamedDependency[AsyncSession]
"""The request's unit of work; committed before the reply is sent."""
Caller = NamedDependency[Principal]
"""The signed-in caller, session and account checked."""
Viewer = NamedDependency[Principal | None]
"""Who looks at something public, if signed in; read from the token alone."""
App = NamedDependency[Runtime]
Id = Annotated[UUID, PathParameter()]

QUERY_MODEL = "query_model"
REQUIRES_CALLER = "caller"
ENROLMENT = "enrolment"
"""In the `opt` of a route that is open to those who have yet to get the second factor that they need."""
LIMIT = "limit"
"""What a guard names that counts calls, and so needs nobody to be signed in."""
READS_VIEWER = "viewer"
"""In the `opt` of a route that reads the caller's token, if any, without asking for `Viewer`."""
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_VERSION = re.compile(r"[0-9]{1,10}").fullmatch


def runtime_of(connection: Connection | AnyRequest) -> Runtime:
    return connection.app.state.runtime


async def provide_runtime(request: AnyRequest) -> Runtime:
    return runtime_of(request)


def provide_session(request: AnyRequest) -> AsyncSession:
    state = state_of(request.scope)
    if state.unit is None:
        state.unit = runtime_of(request).unit_of_work.open()
    return state.unit.session


def principal_of(connection: Connection | AnyRequest) -> Principal | None:
    """Read the token, once per request; raises `InvalidToken` for a bad one, None for none.

    Raises `NotWhileImpersonating` where the route is not open to who acts in somebody else's place.
    """
    state = state_of(connection.scope)
    if state.principal is None:
        authorization = cookies = None
        for name, value in connection.scope["headers"]:
            if name == b"authorization":
                authorization = value
            elif name == b"cookie":
                cookies = value if cookies is None else cookies + b"; " + value
        if authorization is not None:
            state.principal = runtime_of(connection).adapters.get(AccessTokens).read(bearer_of(authorization))
        elif cookies is not None:
            state.principal = _principal_of_browser(connection, state, cookies)
    if state.principal is not None:
        refuse_in_anothers_place(state.principal, connection.route_handler)
    return state.principal


def bearer_of(authorization: bytes) -> str:
    """The token of an Authorization header; raises `NotAuthenticated` when it is of another kind."""
    scheme, _, token = authorization.decode("latin-1").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise NotAuthenticated("Use `Authorization: Bearer <access token>`.")
    return token.strip()


def _principal_of_browser(connection: Connection | AnyRequest, state: RequestState, cookies: bytes) -> Principal | None:
    """Who a browser's cookie names; what changes something must prove that a page of ours meant it."""
    adapters = runtime_of(connection).adapters
    browser = adapters.get(BrowserCookies)
    token = browser.access_of(cookies)
    if token is None:
        return None
    principal = adapters.get(AccessTokens).read(token)
    scope: Any = connection.scope
    if scope["method"] not in _SAFE_METHODS:
        browser.require_csrf(scope, principal.session_id)
    state.by_cookie = True
    return principal


async def checked_principal(connection: Connection | AnyRequest) -> Principal:
    """The caller, their session and account still standing; raises `NotAuthenticated` or `InvalidToken`."""
    state = state_of(connection.scope)
    principal = principal_of(connection)
    if principal is None:
        raise NotAuthenticated
    if not state.checked:
        check = runtime_of(connection).adapters.get(SessionCheck)  # pyright: ignore[reportAbstractUsage]
        principal = state.principal = await check.check(principal)
        refuse_in_anothers_place(principal, connection.route_handler)
        state.checked = True
    return principal


def _may_act(principal: Principal, handler: BaseRouteHandler) -> None:
    if principal.may_only_enrol and not handler.opt.get(ENROLMENT):
        raise MfaEnrolmentRequired


async def provide_caller(request: AnyRequest) -> Principal:
    return await checked_principal(request)


async def provide_viewer(request: AnyRequest) -> Principal | None:
    return principal_of(request)


def requires(permission: Permission) -> Callable[[Connection, BaseRouteHandler], Awaitable[None]]:
    """A route guard: the caller's present roles grant `permission`, else 403 `permission_denied`."""

    async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
        principal = await checked_principal(connection)
        _may_act(principal, handler)
        if not principal.may(permission):
            raise PermissionDenied(f"This needs the permission {permission}.")

    guard.permission = permission  # pyright: ignore[reportFunctionMemberAccess]
    return guard


async def recently_proved(connection: Connection, handler: BaseRouteHandler) -> None:
    """A route guard for what a stolen session must not do: who they are was proved lately, else `StepUpRequired`."""
    principal = await checked_principal(connection)
    _may_act(principal, handler)
    if not principal.recently_proved:
        raise StepUpRequired


async def second_factor_shown(connection: Connection, handler: BaseRouteHandler) -> None:
    """A route guard for what needs a second factor also where staff need none: else `MfaEnrolmentRequired`."""
    principal = await checked_principal(connection)
    _may_act(principal, handler)
    if not principal.second_factor:
        raise MfaEnrolmentRequired("This needs a second factor, shown in this session.")


def query_of(model: type[Q]) -> Provide:
    """A dependency that validates the query string as `model`; declare the same model in the route's `opt`."""
    repeatable = {
        field.alias or name: get_origin(_plain(field.annotation)) in (list, tuple)
        for name, field in model.model_fields.items()
    }

    async def provide(request: AnyRequest) -> RequestModel:
        return parse_query(model, parse_qsl(_query(request), keep_blank_values=True), repeatable)

    return Provide(provide)


def _plain(annotation: Any) -> Any:
    """`list[X]` out of `list[X] | None`."""
    arguments: tuple[Any, ...] = getattr(annotation, "__args__", ())
    return arguments[0] if type(None) in arguments else annotation


def _query(request: AnyRequest) -> str:
    return request.scope["query_string"].decode("latin-1")


def asks_for_caller(handler: BaseRouteHandler) -> bool:
    """Whether the route, or anything it depends on, needs somebody to be signed in."""
    known: bool | None = handler.opt.get(REQUIRES_CALLER)
    if known is None:
        guards: list[Any] = handler.resolve_guards()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # half typed
        known = any(not hasattr(guard, LIMIT) for guard in guards) or _depends_on_caller(handler)
        handler.opt[REQUIRES_CALLER] = known
    return known


def _depends_on_caller(handler: BaseRouteHandler) -> bool:
    providers = handler.resolve_dependencies()
    names, seen = list(handler.parsed_fn_signature.parameters), set[str]()
    while names:
        name = names.pop()
        if name == "caller":
            return True
        if name in providers and name not in seen:
            seen.add(name)
            names.extend(providers[name].parsed_fn_signature.parameters)
    return False


async def refuse_what_is_not_declared(request: AnyRequest) -> None:
    """Before each request: who is not signed in hears that first, then unknown parameters and bodies out of bounds."""
    handler = request.route_handler
    if asks_for_caller(handler):
        _may_act(await checked_principal(request), handler)
    if request.scope["query_string"] and QUERY_MODEL not in handler.opt and not handler.opt.get("any_query"):
        names = {name for name, _ in parse_qsl(_query(request), keep_blank_values=True)}
        raise ValidationFailed(
            [FieldError(pointer([name]), "unknown_field", "There is no such parameter.") for name in sorted(names)]
        )
    body = handler.parsed_fn_signature.parameters.get("data")
    if body is not None and not (body.is_optional and _has_no_body(request)):
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json" and not kind.endswith("+json"):
            raise UnsupportedMediaType
        settings = runtime_of(request).settings
        check_json(await request.body(), max_depth=settings.max_json_depth, max_digits=settings.max_number_digits)


def _has_no_body(request: AnyRequest) -> bool:
    return request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers


def expected_version(request: AnyRequest) -> int | None:
    """The version an `If-Match` header asks for; None when there is none or it is `*`."""
    header = request.headers.get("if-match")
    if header is None or header.strip() == "*":
        return None
    tag = header.strip().removeprefix("W/").strip('"')
    version = tag.partition("-")[0]
    if not _VERSION(version):
        raise StaleVersion("The If-Match header is not an ETag of this resource.")
    return int(version)


async def provide_expected_version(request: AnyRequest) -> int | None:
    return expected_version(request)


DEPENDENCIES = {
    "app": Provide(provide_runtime),
    "session": Provide(provide_session, sync_to_thread=False),
    "caller": Provide(provide_caller),
    "viewer": Provide(provide_viewer),
    "if_match": Provide(provide_expected_version),
}
IfMatch = NamedDependency[int | None]
