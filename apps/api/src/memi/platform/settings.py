"""Configuration: one typed tree read from `MEMI_*` variables and an optional `.env` file.

Every key is documented in `.env.example`; an unknown or malformed key stops the start.
"""

import os
from base64 import b64decode
from enum import StrEnum
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from memi.platform.mail_settings import SmtpServer, parse_sender
from memi.platform.web_settings import is_private_to_transport, parse_base, parse_network, parse_origin

VALKEY_SCHEMES = ("valkey://", "valkeys://", "redis://", "rediss://", "unix://")


class Environment(StrEnum):
    LOCAL = "local"
    TEST = "test"
    PRODUCTION = "production"


class ConfigurationError(Exception):
    """The configuration is wrong; the message is one readable line per problem."""


class Settings(BaseSettings):
    """All of memi's configuration. Durations are seconds, sizes are bytes."""

    model_config = SettingsConfigDict(env_prefix="MEMI_", env_file=".env", extra="ignore", frozen=True)

    env: Environment = Environment.LOCAL
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65535)
    workers: int = Field(1, ge=1, le=64)
    data_dir: Path = Path(".memi")
    public_url: str | None = None
    web_url: str | None = None
    web_origins: Annotated[tuple[str, ...], NoDecode] = ()
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = ()

    database_url: SecretStr | None = None
    migrator_database_url: SecretStr | None = None
    database_pool: int = Field(10, ge=1, le=500)
    hot_pool: int = Field(10, ge=1, le=500)
    pool_wait: float = Field(5.0, gt=0, le=60)
    statement_timeout: float = Field(10.0, gt=0, le=300)

    key_ring: SecretStr | None = None
    key_ring_file: Path | None = None
    access_token_seconds: int = Field(900, ge=60, le=3600)
    refresh_token_days: int = Field(30, ge=1, le=365)
    refresh_grace_seconds: int = Field(10, ge=0, le=60)
    session_days: int = Field(180, ge=1, le=730)
    signing_keys: SecretStr | None = None
    signing_keys_file: Path | None = None
    password_hash_threads: int = Field(1, ge=1, le=32)
    password_hash_queue: int = Field(200, ge=1, le=10_000)
    require_verified_email: bool = False
    require_staff_mfa: bool = False
    require_user_mfa: bool = False
    step_up_seconds: int = Field(900, ge=30, le=86_400)

    oauth_redirects: Annotated[tuple[str, ...], NoDecode] = ()
    google_client_id: str | None = None
    google_client_secret: SecretStr | None = None
    google_issuer: str = "https://accounts.google.com"
    apple_client_id: str | None = None
    apple_team_id: str | None = None
    apple_key_id: str | None = None
    apple_private_key: SecretStr | None = None
    apple_private_key_file: Path | None = None
    apple_issuer: str = "https://appleid.apple.com"

    smtp_url: SecretStr | None = None
    mail_from: str = "memi <no-reply@memi.example>"
    message_mail_minutes: float = Field(5, ge=0, le=24 * 60)

    rate_limits: bool = True
    rate_limit_factor: int | None = Field(None, ge=1, le=1000)
    valkey_url: SecretStr | None = None

    account_undo_days: int = Field(14, ge=1, le=90)
    export_days: int = Field(7, ge=1, le=30)

    currency: str = Field("AZN", pattern="^[A-Z]{3}$")
    listing_days: int = Field(60, ge=1, le=3650)
    listing_purge_days: int = Field(90, ge=1, le=3650)
    reservation_request_hours: float = Field(48, gt=0, le=24 * 90)
    reservation_hold_hours: float = Field(72, gt=0, le=24 * 90)
    order_payment_hours: float = Field(24, gt=0, le=24 * 90)
    order_pending_hours: float = Field(72, gt=0, le=24 * 90)

    payments_url: str | None = None
    payments_token: SecretStr | None = None
    payments_webhook_secrets: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    payments_timeout: float = Field(5.0, ge=0.1, le=60)
    payments_breaker_failures: int = Field(5, ge=1, le=1000)
    payments_breaker_seconds: float = Field(30.0, ge=0.1, le=3600)

    intelligence_plugins: Annotated[tuple[str, ...], NoDecode] = ()
    intelligence_seconds: float = Field(0.3, gt=0, le=10)
    intelligence_threads: int = Field(2, ge=1, le=32)
    intelligence_breaker_failures: int = Field(5, ge=1, le=1000)
    intelligence_breaker_seconds: float = Field(30.0, ge=0.1, le=3600)
    intelligence_fraud_score: float = Field(0.8, ge=0, le=1)
    intelligence_days: int = Field(90, ge=1, le=3650)

    notification_days: int = Field(180, ge=30, le=3650)

    usage_days: int = Field(400, ge=31, le=36_600)
    usage_buffer: int = Field(10_000, ge=1000, le=1_000_000)

    max_body_bytes: int = Field(1_048_576, ge=1024)
    max_json_depth: int = Field(32, ge=4, le=200)
    max_number_digits: int = Field(20, ge=16, le=400)
    request_seconds: float = Field(30.0, gt=0, le=600)
    max_header_bytes: int = Field(65_536, ge=8192)
    header_seconds: float = Field(15.0, gt=0, le=600)
    upload_max_bytes: int = Field(15_000_000, ge=1024)
    upload_max_pixels: int = Field(50_000_000, ge=1)
    upload_orphan_hours: float = Field(24, gt=0, le=24 * 30)
    upload_url_seconds: int = Field(600, ge=10, le=3600)
    media_avif: bool = False
    media_base_url: str | None = None
    image_workers: int = Field(1, ge=1, le=32)

    metrics_token: SecretStr | None = None
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    log_json: bool = True
    access_log: Literal["all", "writes", "none"] = "writes"
    job_attempts: int = Field(8, ge=1, le=50)
    job_heartbeat_seconds: float = Field(10.0, ge=0.5, le=300)
    job_poll_seconds: float = Field(2.0, ge=0.1, le=60)
    job_concurrency: int = Field(20, ge=2, le=200)

    socket_auth_seconds: float = Field(5.0, gt=0, le=60)
    socket_ping_seconds: float = Field(25.0, gt=0, le=120)
    socket_dead_seconds: float = Field(60.0, gt=0, le=300)
    socket_queue: int = Field(256, ge=8, le=10_000)
    sockets_per_user: int = Field(20, ge=1, le=1000)
    realtime_poll_seconds: float = Field(1.0, ge=0.1, le=60)

    @field_validator(
        "web_origins", "oauth_redirects", "payments_webhook_secrets", "intelligence_plugins", mode="before"
    )
    @classmethod
    def _split_list(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _networks(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(parse_network(part.strip()) for part in value.split(",") if part.strip())
        return value

    @field_validator("web_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(parse_origin(origin) for origin in value)

    @field_validator("public_url", "web_url")
    @classmethod
    def _base(cls, value: str | None) -> str | None:
        return parse_base(value) if value else None

    @field_validator("smtp_url")
    @classmethod
    def _smtp_server(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            SmtpServer.parse(value.get_secret_value())
        return value

    @field_validator("mail_from")
    @classmethod
    def _sender(cls, value: str) -> str:
        parse_sender(value)
        return value

    @field_validator("valkey_url")
    @classmethod
    def _known_scheme(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(VALKEY_SCHEMES):
            raise ValueError(f"must begin with {', '.join(VALKEY_SCHEMES)}")
        return value

    @field_validator("payments_url")
    @classmethod
    def _plain_base(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or "@" in value:
            raise ValueError("must be like https://payments.example, with no name, password, query or fragment")
        return value.rstrip("/")

    @field_validator("payments_webhook_secrets")
    @classmethod
    def _strong_secrets(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for number, secret in enumerate(value, 1):
            kind, _, encoded = secret.get_secret_value().partition("_")
            try:
                long_enough = len(b64decode(encoded, validate=True)) >= 24
            except ValueError:
                long_enough = False
            if kind != "whsec" or not long_enough:
                raise ValueError(f"number {number} must be whsec_ and base64 of at least 24 random bytes")
        return value

    @model_validator(mode="after")
    def _payments_are_whole(self) -> Self:
        given = (self.payments_url, self.payments_token, self.payments_webhook_secrets)
        if any(given) and not all(given):
            raise ValueError(
                "MEMI_PAYMENTS_URL, MEMI_PAYMENTS_TOKEN and MEMI_PAYMENTS_WEBHOOK_SECRETS are needed together"
            )
        return self

    @model_validator(mode="after")
    def _production_is_strict(self) -> Self:
        if self.env is not Environment.PRODUCTION:
            return self
        required = {
            "database_url": self.database_url,
            "public_url": self.public_url,
            "web_url": self.web_url,
            "smtp_url": self.smtp_url,
        }
        missing = [f"MEMI_{name.upper()}" for name, value in required.items() if not value]
        if not (self.key_ring or self.key_ring_file):
            missing.append("MEMI_KEY_RING or MEMI_KEY_RING_FILE")
        if missing:
            raise ValueError(f"production needs {', '.join(missing)}")
        for name in ("public_url", "web_url"):
            if not is_private_to_transport(str(required[name])):
                raise ValueError(f"production needs MEMI_{name.upper()} to be an https address")
        for name in ("require_verified_email", "require_staff_mfa", "rate_limits"):
            if not getattr(self, name):
                raise ValueError(f"production needs MEMI_{name.upper()}=true")
        return self

    @cached_property
    def base_url(self) -> str:
        """Where clients reach the API, without a trailing slash."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @cached_property
    def site_url(self) -> str:
        """The front end's site, which links in mails lead to, without a trailing slash."""
        return (self.web_url or self.base_url).rstrip("/")

    @property
    def is_production(self) -> bool:
        return self.env is Environment.PRODUCTION


def load_settings(**overrides: object) -> Settings:
    """Read the configuration; raises `ConfigurationError` naming every wrong or unknown key."""
    known = {f"MEMI_{name.upper()}" for name in Settings.model_fields}
    given = {key for key in (*os.environ, *dotenv_values(".env")) if key.upper().startswith("MEMI_")}
    problems = [f"{key}: unknown setting" for key in sorted(given) if key.upper() not in known]
    try:
        settings = Settings(**overrides)  # pyright: ignore[reportArgumentType]  # values are validated by the model
    except ValidationError as error:
        for item in error.errors(include_url=False, include_input=False):
            name = "_".join(str(part) for part in item["loc"]).upper()
            problems.append(f"MEMI_{name}: {item['msg']}" if name else str(item["msg"]))
        raise ConfigurationError("\n".join(problems)) from None
    if problems:
        raise ConfigurationError("\n".join(problems))
    return settings
