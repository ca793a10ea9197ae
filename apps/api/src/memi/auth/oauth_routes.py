"""HTTP: signing in with other providers, and what of them is linked to an account."""

import re
from secrets import token_urlsafe
from urllib.parse import parse_qsl

from litestar import MediaType, Response, Router, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from memi.auth import oauth_service as service
from memi.auth.device import device_of
from memi.auth.errors import AccountBlocked
from memi.auth.oauth_errors import (
    AlreadyLinked,
    InvalidOAuthCode,
    InvalidOAuthState,
    LastSignInMethod,
    ProviderNotConfigured,
    ProviderUnavailable,
)
from memi.auth.oauth_providers import Providers
from memi.auth.oauth_schemas import Exchange, Identities, LinkRequest, LinkStarted, Returned, StartQuery
from memi.auth.replies import Outcome, signed_in
from memi.auth.signing_in import first_factor_proved
from memi.platform.browser import BrowserCookies, CsrfFailed, read_cookies
from memi.platform.dependencies import (
    QUERY_MODEL,
    AnyRequest,
    App,
    Caller,
    Session,
    query_of,
    recently_proved,
    runtime_of,
)
from memi.platform.errors import (
    BodyTooLarge,
    NotAuthenticated,
    NotFound,
    StepUpRequired,
    UnsupportedMediaType,
    ValidationFailed,
)
from memi.platform.limits import Limit, limited
from memi.platform.problems import problems
from memi.platform.ready_reply import header_of
from memi.platform.request_state import state_of
from memi.platform.runtime import Runtime
from memi.users.errors import NotVerified

_FORM = "application/x-www-form-urlencoded"
_LARGEST_FORM = 65_536
_LONGEST_CODE = 4096
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}").fullmatch


@get(
    "/auth/oauth/{provider:str}/start",
    status_code=302,
    media_type=MediaType.TEXT,
    guards=[limited(Limit.OAUTH)],
    dependencies={"filters": query_of(StartQuery)},
    opt={QUERY_MODEL: StartQuery},
    responses=problems(ProviderNotConfigured, ValidationFailed),
)
async def start_oauth(
    provider: FromPath[str], filters: NamedDependency[StartQuery], request: AnyRequest, app: App
) -> Response[bytes]:
    """Send the browser to a provider, to come back to `redirect_to` with `code` or `error`.

    With `code_challenge` (S256) the code is exchanged by whoever has its verifier, which suits apps; without one, by
    the browser that began.
    """
    providers = app.adapters.get(Providers)
    chosen = providers.get(provider)
    redirect_to = service.redirect_target(providers, filters.redirect_to)
    try:
        url = await service.begin(app, chosen, redirect_to, _mark(request), challenge=filters.code_challenge)
    except ProviderUnavailable as failure:
        url = service.ending(chosen, redirect_to, error=failure.code)
    return _redirect(url, 302)


@get(
    "/auth/oauth/{provider:str}/callback",
    status_code=303,
    media_type=MediaType.TEXT,
    guards=[limited(Limit.OAUTH)],
    opt={"any_query": True},
    responses=problems(ProviderNotConfigured, InvalidOAuthState),
)
async def finish_oauth(provider: FromPath[str], request: AnyRequest, app: App) -> Response[bytes]:
    """Where a provider sends the browser back to; on to the address that the trip began with.

    `code` is there to be exchanged for a sign-in, `linked` names the provider that was linked, or `error` is one of
    access_denied, provider_unavailable, invalid_callback, email_not_verified, link_required, account_blocked,
    account_deleted, session_ended, identity_taken, already_linked.
    """
    return await _finish(request, app, provider, request.scope["query_string"].decode("latin-1"), form_post=False)


@post(
    "/auth/oauth/{provider:str}/callback",
    status_code=303,
    media_type=MediaType.TEXT,
    guards=[limited(Limit.OAUTH)],
    opt={"any_query": True},
    responses=problems(ProviderNotConfigured, InvalidOAuthState, UnsupportedMediaType, BodyTooLarge),
)
async def finish_oauth_by_form(provider: FromPath[str], request: AnyRequest, app: App) -> Response[bytes]:
    """The same for a provider that has the browser post a form, as Apple does."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise UnsupportedMediaType("Send the body as a form.")
    body = await request.body()
    if len(body) > _LARGEST_FORM:
        raise BodyTooLarge
    return await _finish(request, app, provider, body.decode("latin-1"), form_post=True)


@post(
    "/auth/oauth/exchange",
    status_code=200,
    guards=[limited(Limit.OAUTH)],
    responses=problems(InvalidOAuthCode, AccountBlocked, ValidationFailed),
)
async def exchange_oauth_code(
    data: JSONBody[Exchange], request: AnyRequest, app: App, session: Session
) -> Response[Outcome]:
    """Trade the code of a finished trip for a sign-in, within a minute and once; the replies are those of a login."""
    proof = data.code_verifier or _mark_of(request)
    if proof is None:
        raise InvalidOAuthCode
    user = await service.redeem(session, data.code, proof)
    outcome = await first_factor_proved(session, app.adapters, user, device_of(request), data.transport)
    return signed_in(request, outcome)


@post(
    "/auth/oauth/{provider:str}/link",
    status_code=200,
    guards=[limited(Limit.OAUTH), recently_proved],
    responses=problems(
        NotAuthenticated,
        StepUpRequired,
        CsrfFailed,
        NotVerified,
        ProviderNotConfigured,
        AlreadyLinked,
        ProviderUnavailable,
        ValidationFailed,
    ),
)
async def link_oauth(
    provider: FromPath[str],
    caller: Caller,
    request: AnyRequest,
    app: App,
    data: JSONBody[LinkRequest | None] = None,
) -> LinkStarted:
    """Begin to link a provider's account to one's own, in the browser that asks: it gets a cookie to come back with."""
    providers = app.adapters.get(Providers)
    chosen = providers.get(provider)
    redirect_to = service.redirect_target(providers, data.redirect_to if data else None)
    async with app.unit_of_work() as session:
        await service.may_link(session, caller.user_id, chosen)
    return LinkStarted(await service.begin(app, chosen, redirect_to, _mark(request), session_id=caller.session_id))


@delete(
    "/auth/oauth/{provider:str}",
    guards=[limited(Limit.OAUTH), recently_proved],
    responses=problems(NotAuthenticated, StepUpRequired, CsrfFailed, NotFound, LastSignInMethod),
)
async def unlink_oauth(provider: FromPath[str], caller: Caller, app: App, session: Session) -> None:
    """Have a provider's account no longer sign in to one's own."""
    await service.unlink(session, app.adapters.get(Providers), caller.user_id, provider)


@get("/auth/oauth/identities", responses=problems(NotAuthenticated))
async def list_oauth_identities(caller: Caller, app: App, session: Session) -> Identities:
    """The providers' accounts that sign in to one's own."""
    return await service.list_identities(session, app.adapters.get(Providers), caller.user_id)


async def _finish(request: AnyRequest, app: Runtime, name: str, encoded: str, *, form_post: bool) -> Response[bytes]:
    provider = app.adapters.get(Providers).get(name)
    returned, browser = _returned(encoded), _mark_of(request)
    if returned is None or browser is None or provider.settings.form_post != form_post:
        raise InvalidOAuthState
    flow = await service.claim(app, provider, returned.state, browser)
    return _redirect(await service.finish(app, provider, flow, returned), 303)


def _returned(encoded: str) -> Returned | None:
    """What a provider sent; None unless there is one state, and of nothing more than one."""
    try:
        pairs = parse_qsl(encoded, keep_blank_values=True, max_num_fields=50)
    except ValueError:
        return None
    given = dict(pairs)
    known = [name for name, _ in pairs if name in ("state", "code", "error", "iss")]
    state = given.get("state", "")
    if not _SECRET(state) or len(known) != len(set(known)) or len(given.get("code", "")) > _LONGEST_CODE:
        return None
    return Returned(state, given.get("code") or None, given.get("error"), given.get("iss"), given.get("user"))


def _redirect(url: str, status_code: int) -> Response[bytes]:
    return Response(b"", status_code=status_code, headers={"Location": url})


def _cookie_name(request: AnyRequest) -> str:
    return "__Host-memi_oauth" if runtime_of(request).adapters.get(BrowserCookies).secure else "memi_oauth"


def _mark_of(request: AnyRequest) -> str | None:
    """The secret that marks this browser, if it has one."""
    secret = read_cookies(header_of(request.scope, b"cookie") or b"").get(_cookie_name(request), "")
    return secret if _SECRET(secret) else None


def _mark(request: AnyRequest) -> str:
    """The secret that marks this browser, for as long as a trip may take; it keeps the one that other tabs rely on.

    Apple has the browser post across sites, which only `SameSite=None` lets the cookie go along with, and that needs
    TLS; on http://localhost, where Apple sends nobody, it is `Lax`.
    """
    name, secret = _cookie_name(request), _mark_of(request) or token_urlsafe(32)
    reach = "SameSite=None; Secure" if name.startswith("__Host-") else "SameSite=Lax"
    seconds = int((service.FLOW + service.RESULT).total_seconds())
    cookie = f"{name}={secret}; Path=/; Max-Age={seconds}; HttpOnly; {reach}"
    state_of(request.scope).headers.append((b"set-cookie", cookie.encode()))
    return secret


router = Router(
    "",
    route_handlers=[
        start_oauth,
        finish_oauth,
        finish_oauth_by_form,
        exchange_oauth_code,
        link_oauth,
        unlink_oauth,
        list_oauth_identities,
    ],
    tags=["auth"],
)
