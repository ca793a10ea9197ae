"""How an outcome of signing in leaves: tokens in the body, or in cookies that scripts cannot read."""

from datetime import datetime

from litestar import Response

from memi.auth.mfa_schemas import BrowserSteppedUp, SteppedUp
from memi.auth.schemas import BrowserRefreshed, BrowserSignedIn, MfaRequired, SignedIn, TokenReply
from memi.auth.sessions import Issued
from memi.auth.signing_in import Entered
from memi.platform.browser import BrowserCookies
from memi.platform.dependencies import AnyRequest, runtime_of
from memi.platform.request_state import state_of

Session = SignedIn | BrowserSignedIn
Outcome = Session | MfaRequired


def signed_in(request: AnyRequest, outcome: Entered | MfaRequired, status_code: int = 200) -> Response[Outcome]:
    """The reply to a sign-in, in the transport it asked for."""
    if isinstance(outcome, MfaRequired):
        return Response(outcome, status_code=status_code)
    user, issued = outcome
    if issued.transport == "cookie":
        csrf = _set_cookies(request, issued)
        return Response(BrowserSignedIn(user, issued.expires_in, csrf), status_code=status_code)
    reply = SignedIn(issued.access_token, "Bearer", issued.expires_in, issued.refresh_token, user)
    return Response(reply, status_code=status_code)


def refreshed(request: AnyRequest, issued: Issued) -> Response[TokenReply | BrowserRefreshed]:
    """The reply to a refresh, in the transport of the session."""
    if issued.transport == "cookie":
        return Response(BrowserRefreshed(issued.expires_in, _set_cookies(request, issued)))
    return Response(TokenReply(issued.access_token, "Bearer", issued.expires_in, issued.refresh_token))


def stepped_up(request: AnyRequest, issued: Issued, until: datetime) -> Response[SteppedUp | BrowserSteppedUp]:
    """The reply to a fresh proof: the new tokens, in the transport of the session."""
    if issued.transport == "cookie":
        return Response(BrowserSteppedUp(issued.expires_in, _set_cookies(request, issued), until))
    return Response(SteppedUp(issued.access_token, "Bearer", issued.expires_in, issued.refresh_token, until))


def forget_cookies(request: AnyRequest) -> None:
    """Have the browser drop the sign-in, whatever else is answered."""
    _send_cookies(request, runtime_of(request).adapters.get(BrowserCookies).sign_out())


def _set_cookies(request: AnyRequest, issued: Issued) -> str:
    browser = runtime_of(request).adapters.get(BrowserCookies)
    cookies = browser.sign_in(
        issued.session_id, issued.access_token, issued.expires_in, issued.refresh_token, issued.refresh_days
    )
    _send_cookies(request, cookies)
    return browser.csrf_token(issued.session_id)


def _send_cookies(request: AnyRequest, cookies: list[str]) -> None:
    state_of(request.scope).headers.extend((b"set-cookie", cookie.encode("latin-1")) for cookie in cookies)
