"""Under what a visitor or a person is kept: keyed hashes, which lead back to nobody once their salt is gone."""

import hashlib
import hmac
from uuid import UUID

from memi.platform.client_address import limit_key
from memi.platform.keyring import KeyRing

LENGTH = 16


class UsageKeys:
    """Hashes with keys of the ring. Whoever has the database alone, or the ring alone, can try nothing out."""

    def __init__(self, key_ring: KeyRing) -> None:
        self._visitor = key_ring.signing_key("usage/visitor")
        self._person = key_ring.signing_key("usage/person")

    def visitor(self, day_salt: bytes, address: str | None, agent: bytes) -> bytes:
        """Who came, for the day of this salt: the same browser at the same address is one visitor."""
        place = limit_key(address) if address else "-"
        return _keyed(self._visitor, day_salt, b"v", place.encode(), agent)

    def account(self, day_salt: bytes, user_id: UUID) -> bytes:
        """Who did it, for the day of this salt, where an account but no browser is known."""
        return _keyed(self._visitor, day_salt, b"a", user_id.bytes)

    def person(self, salt: bytes, user_id: UUID) -> bytes:
        """Whose it is, for as long as the salt of their consent lasts."""
        return _keyed(self._person, salt, user_id.bytes)


def _keyed(key: bytes, *parts: bytes) -> bytes:
    message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return hmac.digest(key, message, hashlib.sha256)[:LENGTH]
