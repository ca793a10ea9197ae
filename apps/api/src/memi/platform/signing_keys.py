"""Asymmetric keys that sign access tokens, so that others can verify them by what `/.well-known/jwks.json` says."""

import json
from dataclasses import dataclass
from typing import Any

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt import algorithms

from memi.platform.settings import ConfigurationError, Settings

PrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey
_RSA_BITS = 2048


@dataclass(frozen=True)
class SigningKey:
    kid: str
    algorithm: str
    private: PrivateKey

    @property
    def public(self) -> Any:
        return self.private.public_key()

    def jwk(self) -> dict[str, str]:
        """The public half as a JSON Web Key (RFC 7517)."""
        writer = algorithms.get_default_algorithms()[self.algorithm]
        fields: dict[str, Any] = json.loads(writer.to_jwk(self.public))
        fields.pop("key_ops", None)
        return {**fields, "kid": self.kid, "alg": self.algorithm, "use": "sig"}


def load_signing_keys(settings: Settings) -> tuple[SigningKey, ...]:
    """From `MEMI_SIGNING_KEYS` or a file of the same; empty when neither is set. Raises `ConfigurationError`."""
    if settings.signing_keys is not None:
        return _parse(settings.signing_keys.get_secret_value(), "MEMI_SIGNING_KEYS")
    if settings.signing_keys_file is None:
        return ()
    try:
        return _parse(settings.signing_keys_file.read_text(), str(settings.signing_keys_file))
    except OSError as error:
        raise ConfigurationError(f"cannot read {settings.signing_keys_file}: {error.strerror}") from None


def _parse(text: str, source: str) -> tuple[SigningKey, ...]:
    try:
        pems = msgspec.json.decode(text, type=dict[str, str])
    except msgspec.MsgspecError:
        raise ConfigurationError(f"{source}: expected a JSON object of key id to PEM") from None
    if not pems:
        raise ConfigurationError(f"{source}: there is no key")
    return tuple(_key(kid, pem, source) for kid, pem in pems.items())


def _key(kid: str, pem: str, source: str) -> SigningKey:
    try:
        private = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigurationError(f"{source}: {kid} is not a private key in PEM") from None
    if isinstance(private, Ed25519PrivateKey):
        return SigningKey(kid, "EdDSA", private)
    if isinstance(private, EllipticCurvePrivateKey) and isinstance(private.curve, SECP256R1):
        return SigningKey(kid, "ES256", private)
    if isinstance(private, RSAPrivateKey) and private.key_size >= _RSA_BITS:
        return SigningKey(kid, "RS256", private)
    raise ConfigurationError(f"{source}: {kid} must be an Ed25519, P-256 or RSA key of {_RSA_BITS} bits or more")


class PublishedKeys:
    """The JWK Set that verifies what these keys signed."""

    def __init__(self, keys: tuple[SigningKey, ...]) -> None:
        self.document = {"keys": [key.jwk() for key in keys]}
