"""Addresses that are permissions: what they allow is in them, signed with the key ring."""

import base64
import binascii
import hashlib
import hmac
from datetime import timedelta
from typing import Generic, TypeVar

import msgspec

from memi.platform import clock
from memi.platform.keyring import KeyRing


class PutGrant(msgspec.Struct, frozen=True, array_like=True):
    """What a presigned PUT allows: exactly this, until `expires` (seconds since 1970)."""

    key: str
    content_type: str
    size: int
    expires: float
    kid: str


class GetGrant(msgspec.Struct, frozen=True, array_like=True):
    """What a presigned GET allows: this object, under this name, until `expires` (seconds since 1970)."""

    key: str
    filename: str
    content_type: str
    expires: float
    kid: str


G = TypeVar("G", PutGrant, GetGrant)


class UrlSigner(Generic[G]):
    """Each kind of grant is signed for its own purpose, so that none passes for another."""

    def __init__(self, key_ring: KeyRing, purpose: str, kind: type[G]) -> None:
        self._key_ring = key_ring
        self._purpose = purpose
        self._kind = kind

    @property
    def kid(self) -> str:
        """The key that signs, which the grant must name."""
        return self._key_ring.active

    def sign(self, grant: G) -> str:
        """The last part of the address."""
        body = msgspec.json.encode(grant)
        signature = hmac.digest(self._key_ring.signing_key(self._purpose), body, hashlib.sha256)
        return base64.urlsafe_b64encode(signature + body).rstrip(b"=").decode()

    def read(self, token: str) -> G | None:
        """The grant, expired or not; None unless it was signed here for this purpose."""
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            signature, body = raw[:32], raw[32:]
            grant = msgspec.json.decode(body, type=self._kind)
        except (binascii.Error, ValueError, msgspec.MsgspecError):
            return None
        key = self._key_ring.derive(self._purpose, grant.kid)
        if key is None or not hmac.compare_digest(signature, hmac.digest(key, body, hashlib.sha256)):
            return None
        return grant


def is_over(grant: PutGrant | GetGrant) -> bool:
    return clock.now().timestamp() >= grant.expires


def until(expires: timedelta) -> float:
    return (clock.now() + expires).timestamp()
