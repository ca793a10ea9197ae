"""ID tokens: the provider's signed word on who came, verified before anything in it is believed."""

import hmac
import time
from dataclasses import dataclass
from typing import Any, cast

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from memi.auth.oauth_errors import CallbackRefused
from memi.auth.oauth_http import Document, Kept

Claims = dict[str, Any]
_ALGORITHMS = {"RS256": "RSA", "ES256": "EC"}
"""What providers sign with here, each with the only kind of key it may be verified by."""
_RSA_BITS = 2048
_LEEWAY = 60
_OLDEST = 900
_LONGEST = 16_384
_RENEW_SECONDS = 10.0
_SUBJECT = 255


@dataclass(frozen=True)
class PublicKeys:
    """A provider's published keys that may sign ID tokens."""

    keys: tuple[RSAKey | ECKey, ...]

    @classmethod
    def of(cls, document: Document) -> "PublicKeys":
        listed: Any = document.get("keys")
        entries = cast("list[Any]", listed) if isinstance(listed, list) else []
        return cls(tuple(key for key in map(_import, entries) if key is not None))

    def find(self, kid: object, kind: str) -> RSAKey | ECKey | None:
        """The key that a token names; one that names none means the only key there is."""
        fitting = [key for key in self.keys if key.key_type == kind and (kid is None or key.kid == kid)]
        return fitting[0] if len(fitting) == 1 else None


def _import(entry: Any) -> RSAKey | ECKey | None:
    """A key out of a JWK Set; None for what is not for signatures or what we do not know, as others may use it."""
    try:
        if entry.get("use", "sig") != "sig":
            return None
        if entry.get("kty") == "RSA":
            # Looked at before it is imported, which for a short one would only warn.
            return RSAKey.import_key(entry) if len(entry.get("n", "")) * 6 >= _RSA_BITS - 8 else None
        return ECKey.import_key(entry) if entry.get("kty") == "EC" else None
    except (JoseError, ValueError, TypeError, AttributeError, KeyError):
        return None


class IdTokens:
    """Verifies the ID tokens of one issuer for one client."""

    def __init__(self, issuer: str, client_id: str, keys: Kept[PublicKeys]) -> None:
        self._issuer = issuer
        self._client_id = client_id
        self._keys = keys
        self._renewed = float("-inf")

    async def read(self, token: object, nonce: str) -> Claims:
        """The claims of a token made for this client in this trip; raises `CallbackRefused`."""
        if not isinstance(token, str) or len(token) > _LONGEST:
            raise CallbackRefused("no id_token")
        try:
            header = jws.extract_compact(token.encode()).headers()
            algorithm: Any = header.get("alg")
            kind = _ALGORITHMS.get(algorithm) if isinstance(algorithm, str) else None
            if kind is None:
                raise CallbackRefused("id_token: algorithm")
            key = await self._key(header.get("kid"), kind)
            # Header members that we do not know mean nothing (RFC 7515), unless `crit` says so.
            registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
            claims = jwt.decode(token, key, registry=registry).claims
            self._claims(nonce).validate(claims)
        except (JoseError, ValueError, OverflowError) as error:
            raise CallbackRefused(f"id_token: {type(error).__name__}") from None
        self._check(claims, nonce)
        return claims

    async def _key(self, kid: object, kind: str) -> RSAKey | ECKey:
        """The key named; an unknown one has the keys read anew, but not for everybody who makes one up."""
        keys = await self._keys.get()
        key = keys.find(kid, kind)
        if key is None and time.monotonic() - self._renewed >= _RENEW_SECONDS:
            self._renewed = time.monotonic()
            key = (await self._keys.renew(keys)).find(kid, kind)
        if key is None:
            raise CallbackRefused("id_token: unknown key")
        return key

    def _claims(self, nonce: str) -> jwt.JWTClaimsRegistry:
        return jwt.JWTClaimsRegistry(
            leeway=_LEEWAY,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )

    def _check(self, claims: Claims, nonce: str) -> None:
        """What the library leaves open; `aud`, `iss` and the times it has checked."""
        audience: Any = claims["aud"]
        party = claims.get("azp")
        several = isinstance(audience, list) and len(cast("list[str]", audience)) > 1
        if party != self._client_id and (several or party is not None):
            raise CallbackRefused("id_token: azp")
        if not hmac.compare_digest(str(claims["nonce"]).encode(), nonce.encode()):
            raise CallbackRefused("id_token: nonce")
        if time.time() - claims["iat"] > _OLDEST:
            raise CallbackRefused("id_token: iat")
        subject: str = claims["sub"]
        if not 0 < len(subject) <= _SUBJECT or not subject.isascii() or not subject.isprintable():
            raise CallbackRefused("id_token: sub")
