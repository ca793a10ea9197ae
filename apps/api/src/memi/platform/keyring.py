"""The key ring: named secrets from which every purpose derives its own key; the first one signs, all verify."""

import base64
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from memi.platform.settings import ConfigurationError, Settings

_NONCE_BYTES = 12


class Unsealable(Exception):
    """What was to be unsealed is damaged, was sealed for something else, or its key has left the ring."""


class KeyRing:
    """Ordered secrets by key id. Rotate by putting a new one first; drop the old one when its tokens have expired."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise ConfigurationError("the key ring is empty")
        short = [kid for kid, secret in keys.items() if len(secret) < 32]
        if short:
            raise ConfigurationError(f"key ring: {', '.join(short)} must be at least 32 bytes, base64")
        if any(not 0 < len(kid.encode()) < 256 for kid in keys):
            raise ConfigurationError("key ring: a key id has 1 to 255 bytes")
        self._keys = dict(keys)
        self.active = next(iter(self._keys))

    @lru_cache(maxsize=256)  # noqa: B019  # one ring lives as long as the process
    def derive(self, purpose: str, kid: str | None = None) -> bytes | None:
        """32 bytes for `purpose` from key `kid` (the active one by default); None when the ring has no such key."""
        secret = self._keys.get(kid or self.active)
        if secret is None:
            return None
        return hmac.digest(secret, b"memi/" + purpose.encode(), hashlib.sha256)

    def signing_key(self, purpose: str) -> bytes:
        """The active key's 32 bytes for `purpose`."""
        return hmac.digest(self._keys[self.active], b"memi/" + purpose.encode(), hashlib.sha256)

    def seal(self, purpose: str, plain: bytes) -> bytes:
        """Encrypt for `purpose` with the active key, whose id goes along (AES-256-GCM)."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        kid = self.active.encode()
        sealed = AESGCM(self.signing_key(f"seal/{purpose}")).encrypt(nonce, plain, purpose.encode())
        return bytes([len(kid)]) + kid + nonce + sealed

    def unseal(self, purpose: str, sealed: bytes) -> bytes:
        """What was sealed for `purpose` by any key still in the ring; raises `Unsealable`."""
        size = 1 + (sealed[0] if sealed else 0)
        key = self.derive(f"seal/{purpose}", sealed[1:size].decode(errors="replace") or "-")
        nonce, body = sealed[size : size + _NONCE_BYTES], sealed[size + _NONCE_BYTES :]
        if key is None or len(nonce) < _NONCE_BYTES:
            raise Unsealable
        try:
            return AESGCM(key).decrypt(nonce, body, purpose.encode())
        except InvalidTag:
            raise Unsealable from None

    def sealed_by(self, sealed: bytes) -> str:
        """The id of the key that sealed it."""
        return sealed[1 : 1 + sealed[0]].decode(errors="replace") if sealed else ""

    @property
    def kids(self) -> tuple[str, ...]:
        return tuple(self._keys)


def load_key_ring(settings: Settings) -> KeyRing:
    """From `MEMI_KEY_RING` (JSON object, kid → base64), a file of the same, or, outside production, one made here."""
    if settings.key_ring is not None:
        return _parse(settings.key_ring.get_secret_value(), "MEMI_KEY_RING")
    path = settings.key_ring_file
    if path is None:
        if settings.is_production:
            raise ConfigurationError("production needs MEMI_KEY_RING or MEMI_KEY_RING_FILE")
        path = settings.data_dir / "keys.json"
        _make(path)
    try:
        return _parse(path.read_text(), str(path))
    except OSError as error:
        raise ConfigurationError(f"cannot read the key ring {path}: {error.strerror}") from None


def _parse(text: str, source: str) -> KeyRing:
    try:
        raw = json.loads(text)
        return KeyRing({str(kid): base64.b64decode(value, validate=True) for kid, value in raw.items()})
    except (ValueError, AttributeError, TypeError):
        raise ConfigurationError(f"{source}: expected a JSON object of key id to base64 secret") from None


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    body = json.dumps({secrets.token_hex(4): base64.b64encode(secrets.token_bytes(32)).decode()})
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(body)
    try:
        # link() refuses an existing name: of two processes starting at once, one ring wins and both read it.
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
