"""Who is calling: read from a stateless access token, and checked against the account where it matters."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import jwt

from memi.platform.errors import InvalidToken
from memi.platform.ids import new_id
from memi.platform.keyring import KeyRing
from memi.platform.permissions import ROLE_PERMISSIONS, Permission, Role

ALGORITHM = "HS256"
AUDIENCE = "memi"
_PURPOSE = "access-token"
_REMEMBERED = 10_000


@dataclass(frozen=True)
class Principal:
    """A signed-in caller."""

    user_id: UUID
    session_id: UUID
    roles: frozenset[Role]
    expires_at: datetime

    def may(self, permission: Permission) -> bool:
        return any(permission in ROLE_PERMISSIONS[role] for role in self.roles)


class SessionCheck(Protocol):
    """Asks whether the caller's session and account still stand."""

    async def check(self, principal: Principal) -> Principal:
        """The caller with their present roles; raises `InvalidToken` when revoked, blocked, demoted or gone."""
        ...


class AccessTokens:
    """Issues and reads access tokens: HS256, key id in the header, so that keys rotate."""

    def __init__(self, key_ring: KeyRing, issuer: str, lifetime_seconds: int) -> None:
        self._issuer = issuer
        self._lifetime = timedelta(seconds=lifetime_seconds)
        self._kid = key_ring.active
        self._keys: dict[str, bytes] = {kid: key_ring.derive(_PURPOSE, kid) or b"" for kid in key_ring.kids}
        self._options: Any = {
            "require": ["sub", "sid", "exp", "iat", "iss", "aud", "jti"],
            "enforce_minimum_key_length": True,
        }
        # PyJWT's types name those of a package that HMAC does not need, so they are not wholly known here.
        self._encode: Callable[..., str] = jwt.encode  # pyright: ignore[reportUnknownMemberType]
        self._decode: Callable[..., dict[str, Any]] = jwt.PyJWT(self._options).decode  # pyright: ignore[reportUnknownMemberType]
        self._known: dict[str, Principal] = {}

    def issue(self, user_id: UUID, session_id: UUID, roles: frozenset[Role], now: datetime) -> tuple[str, int]:
        """(token, lifetime in seconds)."""
        claims = {
            "sub": str(user_id),
            "sid": str(session_id),
            "roles": sorted(roles),
            "iat": now,
            "exp": now + self._lifetime,
            "iss": self._issuer,
            "aud": AUDIENCE,
            "jti": new_id().hex,
        }
        token = self._encode(claims, self._keys[self._kid], ALGORITHM, headers={"kid": self._kid})
        return token, int(self._lifetime.total_seconds())

    def read(self, token: str) -> Principal:
        """The principal a valid token names; raises `InvalidToken`.

        A signature once found good stays good, so its tokens are remembered until they expire or others need the room.
        """
        known = self._known.get(token)
        if known is not None:
            if known.expires_at <= datetime.now(UTC):
                del self._known[token]
                raise InvalidToken
            return known
        principal = self._verify(token)
        if len(self._known) >= _REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[token] = principal
        return principal

    def _verify(self, token: str) -> Principal:
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = self._keys.get(str(kid))
            if key is None:
                raise InvalidToken
            claims: dict[str, Any] = self._decode(
                token, key, algorithms=[ALGORITHM], audience=AUDIENCE, issuer=self._issuer
            )
            return Principal(
                UUID(claims["sub"]),
                UUID(claims["sid"]),
                frozenset(Role(role) for role in claims["roles"]),
                datetime.fromtimestamp(claims["exp"], UTC),
            )
        except (jwt.PyJWTError, ValueError, KeyError, TypeError):
            raise InvalidToken from None
