"""Who is calling: read from a stateless access token, and checked against the account where it matters."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, cast
from uuid import UUID

import jwt

from memi.platform.errors import InvalidToken
from memi.platform.ids import new_id
from memi.platform.keyring import KeyRing
from memi.platform.permissions import Permission, Role, grants
from memi.platform.signing_keys import SigningKey

SHARED = "HS256"
TYPE = "at+jwt"
AUDIENCE = "memi"
CHATS_SCOPE = "chats:read"
_PURPOSE = "access-token"
_REMEMBERED = 10_000


@dataclass(frozen=True)
class Principal:
    """A signed-in caller."""

    user_id: UUID
    session_id: UUID
    roles: frozenset[Role]
    expires_at: datetime
    may_only_enrol: bool = False
    """Without the second factor that they need: everything but getting one is closed to them."""
    authenticated_at: datetime | None = None
    """When they last proved who they are; None until the session was checked."""
    recently_proved: bool = False
    """Whether that was recent enough for what is dangerous, by the database's clock."""
    second_factor: bool = False
    """Whether they showed a second factor in this session."""
    impersonator_id: UUID | None = None
    """The member of staff who acts in the place of `user_id`; `session_id` is then the impersonation's."""
    may_read_chats: bool = False
    """Whether who acts in somebody's place may read their chats too."""

    def may(self, permission: Permission) -> bool:
        return grants(self.roles, permission)


class SessionCheck(Protocol):
    """Asks whether the caller's session and account still stand."""

    async def check(self, principal: Principal) -> Principal:
        """The caller with their present roles; raises `InvalidToken` when revoked, blocked, demoted or gone."""
        ...


class AccessTokens:
    """Issues and reads access tokens, key id in the header, so that keys rotate.

    Signed by the first of `signing_keys`, or with none by the key ring (HS256); verified by every key of both. A key
    decides the algorithm, never the token.
    """

    def __init__(
        self, key_ring: KeyRing, issuer: str, lifetime_seconds: int, signing_keys: Sequence[SigningKey] = ()
    ) -> None:
        self._issuer = issuer
        self._lifetime = timedelta(seconds=lifetime_seconds)
        self._keys: dict[str, tuple[str, Any]] = {
            kid: (SHARED, key_ring.derive(_PURPOSE, kid)) for kid in key_ring.kids
        }
        self._keys.update({key.kid: (key.algorithm, key.public) for key in signing_keys})
        if signing_keys:
            first = signing_keys[0]
            self._kid, self._algorithm, self._key = first.kid, first.algorithm, cast("Any", first.private)
        else:
            self._kid, self._algorithm, self._key = key_ring.active, SHARED, key_ring.signing_key(_PURPOSE)
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
        token = self._sign(user_id, session_id, roles, now, now + self._lifetime)
        return token, int(self._lifetime.total_seconds())

    def issue_to_impersonator(self, principal: Principal, now: datetime) -> str:
        """A token for who acts in somebody's place, who is named in `act` (RFC 8693); it ends with `expires_at`."""
        actor = {"sub": str(principal.impersonator_id)}
        scope = {"scope": CHATS_SCOPE} if principal.may_read_chats else {}
        return self._sign(
            principal.user_id, principal.session_id, principal.roles, now, principal.expires_at, act=actor, **scope
        )

    def _sign(
        self, user_id: UUID, session_id: UUID, roles: frozenset[Role], now: datetime, end: datetime, **more: object
    ) -> str:
        claims = {
            "sub": str(user_id),
            "sid": str(session_id),
            "roles": sorted(roles),
            "iat": now,
            "exp": end,
            "iss": self._issuer,
            "aud": AUDIENCE,
            "jti": new_id().hex,
            **more,
        }
        return self._encode(claims, self._key, self._algorithm, headers={"kid": self._kid, "typ": TYPE})

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
            header = jwt.get_unverified_header(token)
            known = self._keys.get(str(header.get("kid")))
            if known is None or header.get("typ") != TYPE:
                raise InvalidToken
            algorithm, key = known
            claims: dict[str, Any] = self._decode(
                token, key, algorithms=[algorithm], audience=AUDIENCE, issuer=self._issuer
            )
            return Principal(
                UUID(claims["sub"]),
                UUID(claims["sid"]),
                frozenset(Role(role) for role in claims["roles"]),
                datetime.fromtimestamp(claims["exp"], UTC),
                impersonator_id=_actor(claims),
                may_read_chats="act" in claims and claims.get("scope") == CHATS_SCOPE,
            )
        except (jwt.PyJWTError, ValueError, KeyError, TypeError):
            raise InvalidToken from None


def _actor(claims: dict[str, Any]) -> UUID | None:
    """Who acts in the place of the subject; one person only, never somebody who acts in another's place."""
    if "act" not in claims:
        return None
    actor: dict[str, Any] = claims["act"]
    if set(actor) != {"sub"}:
        raise ValueError
    return UUID(actor["sub"])
