"""Where a sign-in comes from."""

from dataclasses import dataclass

from memi.auth.tokens import hash_token
from memi.platform.browser import BrowserCookies, read_cookies
from memi.platform.client_address import client_address
from memi.platform.dependencies import AnyRequest, runtime_of
from memi.platform.ready_reply import header_of

_LONGEST = 400


@dataclass(frozen=True)
class Device:
    user_agent: str | None
    ip: str | None
    kept_token: bytes | None = None
    """The hash of the refresh token that the browser keeps of an earlier sign-in."""


def device_of(request: AnyRequest) -> Device:
    """What a request tells of the device it comes from."""
    agent = request.headers.get("user-agent", "")[:_LONGEST]
    runtime = runtime_of(request)
    kept = read_cookies(header_of(request.scope, b"cookie") or b"").get(runtime.adapters.get(BrowserCookies).refresh)
    return Device(
        agent or None, client_address(request.scope, runtime.settings), hash_token(kept) if kept is not None else None
    )
