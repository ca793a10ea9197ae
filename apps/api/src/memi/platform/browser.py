"""Browsers: the cookies that carry a sign-in, and the token that proves a call was meant.

The access cookie signs requests in, the refresh cookie is read by `/auth/refresh` and `/auth/logout` alone; scripts can
read neither. Their names begin with `__Host-`, so no neighbouring host can plant one, which is why none has a path of
its own. The CSRF token is bound to the session by a MAC, so a planted one would be worth nothing either.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from memi.platform.errors import AppError
from memi.platform.keyring import KeyRing
from memi.platform.settings import Settings

CSRF_HEADER = b"x-csrf-token"
_PURPOSE = "csrf"
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


class CsrfFailed(AppError):
    code, status = "csrf_failed", 403
    title = "A call signed in by cookie must carry the session's token in X-CSRF-Token."


class BrowserCookies:
    """Names, attributes and values of memi's cookies, and the check of CSRF tokens."""

    def __init__(self, settings: Settings, key_ring: KeyRing) -> None:
        url = urlsplit(settings.base_url)
        self.secure = not (url.scheme == "http" and url.hostname in _LOCAL)
        self.access = "__Host-memi_access" if self.secure else "memi_access"
        self.refresh = "__Host-memi_refresh" if self.secure else "memi_refresh"
        self.csrf = "__Host-memi_csrf" if self.secure else "memi_csrf"
        self._access_name = self.access.encode()
        self._ring = key_ring
        self._own_origin = f"{url.scheme}://{url.netloc}"
        self._origins = frozenset({self._own_origin, *settings.web_origins})

    def access_of(self, cookies: bytes) -> str | None:
        """The access token out of a Cookie header."""
        if self._access_name not in cookies:
            return None
        return read_cookies(cookies).get(self.access)

    def csrf_token(self, session_id: UUID) -> str:
        """What a session's unsafe calls must carry; the same for as long as the session and the key last."""
        return f"{self._ring.active}.{self._mac(session_id, self._ring.active)}"

    def require_csrf(self, scope: Mapping[str, Any], session_id: UUID) -> None:
        """Raises `CsrfFailed` unless the request carries the session's token."""
        given = next((value for name, value in scope["headers"] if name == CSRF_HEADER), b"").decode("latin-1")
        kid, _, mac = given.rpartition(".")
        expected = self._mac(session_id, kid) if kid in self._ring.kids else None
        if expected is None or not hmac.compare_digest(mac.encode(), expected.encode()):
            raise CsrfFailed

    def knows_origin(self, origin: str | None) -> bool:
        """Whether a page of `origin` may act by cookie: the service's own, or an allowed front end."""
        return origin in self._origins

    def sign_in(self, session_id: UUID, access: str, access_seconds: int, refresh: str, days: int) -> list[str]:
        """`Set-Cookie` values that sign a browser in."""
        seconds = days * 86_400
        return [
            self._cookie(self.access, access, access_seconds),
            self._cookie(self.refresh, refresh, seconds),
            self._cookie(self.csrf, self.csrf_token(session_id), seconds, readable=True),
        ]

    def sign_out(self) -> list[str]:
        """`Set-Cookie` values that make a browser forget the sign-in."""
        return [
            self._cookie(self.access, "", 0),
            self._cookie(self.refresh, "", 0),
            self._cookie(self.csrf, "", 0, readable=True),
        ]

    def _cookie(self, name: str, value: str, seconds: int, *, readable: bool = False) -> str:
        parts = [f"{name}={value}", "Path=/", f"Max-Age={seconds}", "SameSite=Lax"]
        if self.secure:
            parts.append("Secure")
        if not readable:
            parts.append("HttpOnly")
        return "; ".join(parts)

    def _mac(self, session_id: UUID, kid: str) -> str:
        key = self._ring.derive(_PURPOSE, kid) or b""
        digest = hmac.digest(key, session_id.bytes, hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def read_cookies(header: bytes) -> dict[str, str]:
    """Cookies by name; of two with one name the first counts, as the more specific path comes first (RFC 6265)."""
    found: dict[str, str] = {}
    for part in header.decode("latin-1").split(";"):
        name, separator, value = part.strip().partition("=")
        if separator:
            found.setdefault(name, value)
    return found
