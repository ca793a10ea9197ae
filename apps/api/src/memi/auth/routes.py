"""HTTP: register, login, refresh, logout."""

from typing import Any

from litestar import Response, Router, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody

from memi.auth import sessions, signing_in
from memi.auth.device import device_of
from memi.auth.errors import AccountBlocked, InvalidCredentials, InvalidRefreshToken, TooManyAttempts
from memi.auth.passwords import PasswordHasher
from memi.auth.policy import AuthPolicy
from memi.auth.queries import CsrfCheck
from memi.auth.replies import Outcome, forget_cookies, refreshed, signed_in
from memi.auth.schemas import BrowserRefreshed, CsrfToken, Login, RefreshRequest, Registration, TokenReply, Transport
from memi.platform.browser import BrowserCookies, CsrfFailed, read_cookies
from memi.platform.dependencies import AnyRequest, App, Session, checked_principal, runtime_of
from memi.platform.errors import InvalidToken, NotAuthenticated, ValidationFailed
from memi.platform.limits import Limit, limited
from memi.platform.problems import problems
from memi.platform.ready_reply import header_of
from memi.platform.signing_keys import PublishedKeys
from memi.users.errors import EmailTaken


@post("/auth/register", guards=[limited(Limit.REGISTER)], responses=problems(EmailTaken, ValidationFailed))
async def register(data: JSONBody[Registration], request: AnyRequest, app: App, session: Session) -> Response[Outcome]:
    """Make an account and sign it in."""
    password_hash = await app.adapters.get(PasswordHasher).hash(data.password.get_secret_value())
    policy = app.adapters.get(AuthPolicy)
    made = await signing_in.register(session, policy, data, password_hash, device_of(request))
    return signed_in(request, made, 201)


@post(
    "/auth/login",
    status_code=200,
    guards=[limited(Limit.LOGIN)],
    responses=problems(InvalidCredentials, AccountBlocked, TooManyAttempts, ValidationFailed),
)
async def login(data: JSONBody[Login], request: AnyRequest, app: App, session: Session) -> Response[Outcome]:
    """Sign in with address and password. An account with a second factor gets a token to show it with instead."""
    return signed_in(request, await signing_in.login(app, session, data, device_of(request)))


@post(
    "/auth/refresh",
    status_code=200,
    guards=[limited(Limit.REFRESH)],
    responses=problems(InvalidRefreshToken, CsrfFailed, ValidationFailed),
)
async def refresh(
    request: AnyRequest, app: App, data: JSONBody[RefreshRequest | None] = None
) -> Response[TokenReply | BrowserRefreshed]:
    """Trade a refresh token, of the body or the cookie, for new ones.

    Each works once; a second use ends the session it belongs to.
    """
    token, transport = _presented(request, data)
    async with app.unit_of_work() as session:
        outcome = await sessions.refresh(
            session,
            app.adapters.get(AuthPolicy),
            token,
            transport,
            device=device_of(request),
            csrf=_csrf_check(request, transport),
        )
    if isinstance(outcome, str):
        if transport == "cookie":
            forget_cookies(request)
        raise InvalidRefreshToken
    return refreshed(request, outcome)


@post("/auth/logout", status_code=204, responses=problems(InvalidRefreshToken, CsrfFailed, ValidationFailed))
async def logout(request: AnyRequest, session: Session, data: JSONBody[RefreshRequest | None] = None) -> None:
    """End the session of a refresh token, of the body or the cookie. Ending it twice is no error."""
    token, transport = _presented(request, data)
    await sessions.logout_by_token(session, token, _csrf_check(request, transport))
    if transport == "cookie":
        forget_cookies(request)


@get("/auth/csrf", guards=[limited(Limit.REFRESH)], responses=problems(NotAuthenticated, InvalidToken))
async def read_csrf_token(request: AnyRequest, app: App, session: Session) -> CsrfToken:
    """The token that unsafe calls of this session carry in `X-CSRF-Token` when they are signed in by cookie.

    The refresh cookie will do: a page that comes back after the access token ran out needs this token to refresh.
    """
    session_id = await sessions.kept_session(session, device_of(request))
    if session_id is None:
        session_id = (await checked_principal(request)).session_id
    return CsrfToken(app.adapters.get(BrowserCookies).csrf_token(session_id))


@get(
    "/.well-known/jwks.json",
    tags=["auth"],
    responses={200: ResponseSpec(dict[str, Any], generate_examples=False, description="A JWK Set (RFC 7517).")},
)
async def read_signing_keys(app: App) -> Response[Any]:
    """The public keys that verify access tokens; none while the key ring's shared secret signs them."""
    document = app.adapters.get(PublishedKeys).document
    return Response(document, headers={"Cache-Control": "public, max-age=300"})


def _presented(request: AnyRequest, data: RefreshRequest | None) -> tuple[str, Transport]:
    """The refresh token and how it came; raises `InvalidRefreshToken` when there is none."""
    if data is not None and data.refresh_token is not None:
        return data.refresh_token, "token"
    browser = runtime_of(request).adapters.get(BrowserCookies)
    token = read_cookies(header_of(request.scope, b"cookie") or b"").get(browser.refresh)
    if not token:
        raise InvalidRefreshToken
    return token, "cookie"


def _csrf_check(request: AnyRequest, transport: Transport) -> CsrfCheck | None:
    if transport == "token":
        return None
    browser = runtime_of(request).adapters.get(BrowserCookies)
    return lambda session_id: browser.require_csrf(request.scope, session_id)


router = Router("", route_handlers=[register, login, refresh, logout, read_csrf_token], tags=["auth"])
public_handlers = [read_signing_keys]
"""Outside of the API's prefix."""
