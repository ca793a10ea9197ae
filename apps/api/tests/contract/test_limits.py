"""Every route that must not be called without end says by what limit it is counted."""

from typing import Any

import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute

from memi.app import create_litestar
from memi.platform.dependencies import asks_for_caller
from memi.platform.limits import Limit
from memi.platform.settings import Environment, Settings
from memi.wiring import open_runtime

LIMITED: dict[tuple[str, str], Limit] = {
    ("POST", "/auth/register"): Limit.REGISTER,
    ("POST", "/auth/login"): Limit.LOGIN,
    ("POST", "/auth/refresh"): Limit.REFRESH,
    ("POST", "/auth/mfa/totp/enrol"): Limit.SECOND_FACTOR,
    ("POST", "/auth/mfa/totp/confirm"): Limit.SECOND_FACTOR,
    ("DELETE", "/auth/mfa/totp"): Limit.SECOND_FACTOR,
    ("POST", "/auth/mfa/recovery-codes"): Limit.SECOND_FACTOR,
    ("POST", "/auth/mfa/verify"): Limit.SECOND_FACTOR,
    ("POST", "/auth/step-up"): Limit.SECOND_FACTOR,
    ("POST", "/auth/email/verify"): Limit.VERIFY,
    ("POST", "/auth/account/restore"): Limit.VERIFY,
    ("POST", "/auth/email/resend"): Limit.EMAIL_RESEND,
    ("POST", "/auth/email/change"): Limit.EMAIL_RESEND,
    ("POST", "/auth/password/forgot"): Limit.PASSWORD_RESET,
    ("POST", "/auth/password/reset"): Limit.PASSWORD_RESET,
    ("POST", "/auth/password/change"): Limit.PASSWORD_CHANGE,
    ("POST", "/auth/password/strength"): Limit.SUGGEST,
    ("GET", "/auth/oauth/{provider}/start"): Limit.OAUTH,
    ("GET", "/auth/oauth/{provider}/callback"): Limit.OAUTH,
    ("POST", "/auth/oauth/{provider}/callback"): Limit.OAUTH,
    ("POST", "/auth/oauth/{provider}/link"): Limit.OAUTH,
    ("DELETE", "/auth/oauth/{provider}"): Limit.OAUTH,
    ("POST", "/auth/oauth/exchange"): Limit.OAUTH,
    ("POST", "/listings/{listing_id}/chat"): Limit.CHAT_CREATE,
    ("POST", "/chats/{chat_id}/messages"): Limit.CHAT_SEND,
    ("POST", "/listings/{listing_id}/reservations"): Limit.RESERVATION,
    ("POST", "/admin/users/{user_id}/impersonate"): Limit.IMPERSONATE,
    ("POST", "/reports"): Limit.REPORT,
    ("POST", "/reports/{report_id}/appeal"): Limit.REPORT,
    ("POST", "/reports/block"): Limit.REPORT,
    ("POST", "/reports/block/appeal"): Limit.REPORT,
    ("POST", "/uploads"): Limit.UPLOAD,
    ("GET", "/admin/export/users.csv"): Limit.STAFF_EXPORT,
    ("GET", "/admin/export/listings.csv"): Limit.STAFF_EXPORT,
    ("GET", "/admin/export/audit.csv"): Limit.STAFF_EXPORT,
    ("GET", "/admin/export/reports.csv"): Limit.STAFF_EXPORT,
    ("GET", "/listings"): Limit.SEARCH,
    ("GET", "/users/{user_id}/listings"): Limit.SEARCH,
    ("GET", "/listings/{listing_id}/price-advice"): Limit.SUGGEST,
    ("GET", "/users/me/recommendations"): Limit.SUGGEST,
}
"""Below `/api/v1`. Sockets, messages over them and exports are counted where they happen, as their tests prove."""

WITHOUT: set[tuple[str, str]] = {
    # Ends one's own session, by a token of 256 bits.
    ("POST", "/auth/logout"),
    # Does nothing without a token that we sealed; a provider of mail posts for all of its users from a few addresses.
    ("POST", "/notifications/unsubscribe/{token}"),
    # Takes a file that an upload which was counted has announced, once, of the announced size.
    ("PUT", "/media/incoming/{token}"),
    # Signed by the payments service; whatever is not, is refused before it is read on.
    ("POST", "/webhooks/payments"),
}
"""What anybody may change without being counted. Adding a line here is a decision."""


@pytest.fixture(scope="module")
def routes() -> dict[tuple[str, str], Any]:
    settings = Settings(_env_file=None, env=Environment.TEST)
    app: Litestar = create_litestar(settings, lambda: open_runtime(settings, ""))
    return {
        (method, route.path_format.removeprefix("/api/v1")): handler
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        for method in handler.http_methods
        if method != "OPTIONS"
    }


def limits_of(handler: Any) -> list[Limit]:
    return [guard.limit for guard in handler.resolve_guards() if hasattr(guard, "limit")]


def test_each_is_counted_by_its_limit_alone(routes: dict[tuple[str, str], Any]) -> None:
    found = {key: limits_of(routes[key]) for key in LIMITED}
    assert found == {key: [limit] for key, limit in LIMITED.items()}


def test_orders_and_reports_are_counted_as_soon_as_there_are_any(routes: dict[tuple[str, str], Any]) -> None:
    made = [key for key in routes if key in (("POST", "/orders"), ("POST", "/reports"))]
    assert [key for key in made if not limits_of(routes[key])] == []


def test_whatever_strangers_may_change_is_counted(routes: dict[tuple[str, str], Any]) -> None:
    """A route that asks for nobody is open to all the world."""
    open_to_all = {key for key, handler in routes.items() if key[0] != "GET" and not asks_for_caller(handler)}
    assert open_to_all - set(LIMITED) <= WITHOUT
    assert len(open_to_all) > 8


def test_a_limit_does_not_make_a_route_ask_for_a_caller(routes: dict[tuple[str, str], Any]) -> None:
    assert not asks_for_caller(routes["POST", "/auth/login"])
    assert not asks_for_caller(routes["GET", "/listings"])
    assert asks_for_caller(routes["POST", "/uploads"])
