"""What signing in needs of the configuration."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from memi.platform.permissions import STAFF, Role
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
    step_up: timedelta
    """For how long a proof of who it is lets them do what is dangerous."""
    staff_need_mfa: bool
    users_need_mfa: bool

    @classmethod
    def of(cls, settings: Settings, tokens: AccessTokens) -> "AuthPolicy":
        return cls(
            tokens,
            settings.refresh_token_days,
            settings.session_days,
            settings.refresh_grace_seconds,
            timedelta(seconds=settings.step_up_seconds),
            settings.require_staff_mfa or settings.require_user_mfa,
            settings.require_user_mfa,
        )

    def roles_of(self, names: Iterable[str], mfa_at: datetime | None) -> tuple[frozenset[Role], bool]:
        """The roles that count in a session, and whether it may only enrol.

        Staff whose session shows no second factor where they need one are nobody special until they have it.
        """
        roles = frozenset(Role(name) for name in names)
        if mfa_at is None and (self.users_need_mfa or (self.staff_need_mfa and roles & STAFF)):
            return roles - STAFF, True
        return roles, False
