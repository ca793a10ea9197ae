"""What signing in needs of the configuration."""

from dataclasses import dataclass

from memi.platform.principal import AccessTokens
from memi.platform.settings import Settings

SESSIONS_PER_USER = 50
"""Signing in once more ends the one that was used longest ago."""


@dataclass(frozen=True)
class AuthPolicy:
    tokens: AccessTokens
    refresh_days: int
    session_days: int
    grace_seconds: int

    @classmethod
    def of(cls, settings: Settings, tokens: AccessTokens) -> "AuthPolicy":
        return cls(tokens, settings.refresh_token_days, settings.session_days, settings.refresh_grace_seconds)
