"""HTTP: how one wants to hear of things, and an end to mails without signing in."""

from litestar import MediaType, Response, Router, get, post, put
from litestar.params import FromPath, JSONBody

from memi.notifications import preferences, unsubscribing
from memi.notifications.preference_schemas import Preferences, PreferencesUpdate
from memi.platform.dependencies import App, Caller, Session
from memi.platform.errors import NotAuthenticated, NotFound, ValidationFailed
from memi.platform.impersonation import IMPERSONATION, OpenTo
from memi.platform.problems import problems

_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}


@get("/notifications/preferences", opt={IMPERSONATION: OpenTo.ALL}, responses=problems(NotAuthenticated))
async def read_preferences(caller: Caller, session: Session) -> Preferences:
    """By which ways one hears of what, the quiet hours, and whether news of listings come as a daily digest."""
    return await preferences.read(session, caller.user_id)


@put("/notifications/preferences", responses=problems(NotAuthenticated, ValidationFailed))
async def replace_preferences(caller: Caller, session: Session, data: JSONBody[PreferencesUpdate]) -> Preferences:
    """Replace the whole table. In quiet hours nothing is pushed, and mails wait until they end."""
    return await preferences.replace(session, caller.user_id, data)


@get("/notifications/unsubscribe/{token:str}", media_type=MediaType.HTML, responses=problems(NotFound))
async def ask_to_unsubscribe(token: FromPath[str], app: App) -> Response[str]:
    """A page with one button, which posts to the same address. Opening it changes nothing."""
    unsubscribing.read(app.key_ring, token)
    return Response(unsubscribing.asking_page(), media_type=MediaType.HTML, headers=_PAGE_HEADERS)


@post(
    "/notifications/unsubscribe/{token:str}", status_code=200, media_type=MediaType.HTML, responses=problems(NotFound)
)
async def unsubscribe(token: FromPath[str], app: App, session: Session) -> Response[str]:
    """End the kind of mail that the token of its `List-Unsubscribe` header names (RFC 8058); again changes nothing."""
    user_id, kind = unsubscribing.read(app.key_ring, token)
    await preferences.switch_mail_off(session, user_id, kind)
    return Response(unsubscribing.done_page(), media_type=MediaType.HTML, headers=_PAGE_HEADERS)


router = Router(
    "",
    route_handlers=[read_preferences, replace_preferences, ask_to_unsubscribe, unsubscribe],
    tags=["notifications"],
)
