"""Which providers sign people in here, by the configuration; a wrong one stops the start."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from pydantic import SecretStr

from memi.platform import clock
from memi.platform.settings import ConfigurationError, Settings

ProviderName = Literal["google", "apple"]
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_APPLE_SECRET_SECONDS = 300


@dataclass(frozen=True)
class AppleKey:
    """Signs the secret that Apple knows a client by."""

    team_id: str
    key: ECKey

    def secret(self, issuer: str, client_id: str) -> str:
        """A client secret for one use: a JWT of a few minutes."""
        now = int(clock.now().timestamp())
        claims = {"iss": self.team_id, "sub": client_id, "aud": issuer, "iat": now, "exp": now + _APPLE_SECRET_SECONDS}
        return jwt.encode({"alg": "ES256", "kid": self.key.kid}, claims, self.key, ["ES256"], default_type=None)


@dataclass(frozen=True)
class ProviderSettings:
    name: ProviderName
    issuer: str
    client_id: str
    secret: str | AppleKey = field(repr=False)
    scope: str
    form_post: bool
    """Whether it answers by a form that the browser posts, as Apple does, instead of by a query string."""
    plain_http: bool
    """Whether it may be spoken to without TLS: only outside production, and only on this machine."""

    def client_secret(self) -> str:
        return self.secret if isinstance(self.secret, str) else self.secret.secret(self.issuer, self.client_id)

    def may_be_asked(self, url: object) -> bool:
        """Whether `url`, named by the provider's own document, is safe to talk to."""
        parts = _parts(url)
        if parts is None or parts.scheme != "http":
            return parts is not None and parts.scheme == "https" and bool(parts.hostname)
        return self.plain_http and parts.hostname in _LOOPBACK


def configured_providers(settings: Settings) -> list[ProviderSettings]:
    """Raises `ConfigurationError` for one that is configured by half or wrongly."""
    found = [provider for provider in (_google(settings), _apple(settings)) if provider is not None]
    for provider in found:
        if not provider.may_be_asked(provider.issuer):
            raise ConfigurationError(f"MEMI_{provider.name.upper()}_ISSUER: must be an https address")
    return found


def redirects(settings: Settings) -> tuple[str, ...]:
    """Where a sign-in may lead back to; the first is the default. Raises `ConfigurationError`."""
    allowed = settings.oauth_redirects or (f"{settings.site_url}/auth/callback",)
    for url in allowed:
        parts = _parts(url)
        if parts is None:
            raise ConfigurationError(f"MEMI_OAUTH_REDIRECTS: {url!r} is no address")
        # An app's own scheme contains a dot, as it is a domain backwards (RFC 8252), so `javascript:` is none.
        good = parts.scheme == "https" or "." in parts.scheme or (parts.scheme == "http" and not settings.is_production)
        if not good or parts.fragment or (parts.scheme in ("http", "https") and not parts.netloc):
            raise ConfigurationError(f"MEMI_OAUTH_REDIRECTS: {url} is not an https address or one of an app")
    return allowed


def _parts(url: object) -> SplitResult | None:
    """An address taken apart; None for what is none, or would be two lines of a header."""
    if not isinstance(url, str) or not url.isascii() or not url.isprintable():
        return None
    try:
        return urlsplit(url)
    except ValueError:
        return None


def _google(settings: Settings) -> ProviderSettings | None:
    client_id, secret = settings.google_client_id, settings.google_client_secret
    if not client_id or not secret:
        _refuse_half("GOOGLE", CLIENT_ID=client_id, CLIENT_SECRET=secret)
        return None
    return ProviderSettings(
        name="google",
        issuer=settings.google_issuer,
        client_id=client_id,
        secret=secret.get_secret_value(),
        scope="openid email profile",
        form_post=False,
        plain_http=not settings.is_production,
    )


def _apple(settings: Settings) -> ProviderSettings | None:
    client_id, team_id, key_id = settings.apple_client_id, settings.apple_team_id, settings.apple_key_id
    pem = settings.apple_private_key or settings.apple_private_key_file
    if not client_id or not team_id or not key_id or not pem:
        _refuse_half("APPLE", CLIENT_ID=client_id, TEAM_ID=team_id, KEY_ID=key_id, PRIVATE_KEY=pem)
        return None
    return ProviderSettings(
        name="apple",
        issuer=settings.apple_issuer,
        client_id=client_id,
        secret=AppleKey(team_id, _apple_key(pem, key_id)),
        scope="openid email name",
        form_post=True,
        plain_http=not settings.is_production,
    )


def _refuse_half(provider: str, **given: object) -> None:
    missing = [f"MEMI_{provider}_{name}" for name, value in given.items() if not value]
    if len(missing) < len(given):
        raise ConfigurationError(f"{provider.capitalize()} is configured by half: {', '.join(missing)} missing")


def _apple_key(source: SecretStr | Path, kid: str) -> ECKey:
    name = "MEMI_APPLE_PRIVATE_KEY" if isinstance(source, SecretStr) else str(source)
    try:
        pem = source.get_secret_value() if isinstance(source, SecretStr) else source.read_text()
        key = ECKey.import_key(pem, {"kid": kid})
    except OSError as error:
        raise ConfigurationError(f"cannot read {name}: {error.strerror}") from None
    except (JoseError, ValueError, TypeError):
        raise ConfigurationError(f"{name}: expected a private key in PEM") from None
    if not key.is_private or key.curve_name != "P-256":
        raise ConfigurationError(f"{name}: expected a private P-256 key")
    return key
