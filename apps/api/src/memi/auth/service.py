"""Signing up, in and out; rotation of refresh tokens."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.auth import queries
from memi.auth.errors import AccountBlocked, InvalidCredentials
from memi.auth.models import AuthSession, RefreshToken
from memi.auth.passwords import PasswordHasher
from memi.auth.schemas import Login, Registration, SignedIn, TokenReply
from memi.auth.tokens import hash_token, new_refresh_token
from memi.platform import clock
from memi.platform.errors import InvalidToken
from memi.platform.events import publish
from memi.platform.hot_pool import HotPool
from memi.platform.ids import new_id
from memi.platform.permissions import Role
from memi.platform.principal import AccessTokens, Principal
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from memi.users import service as users
from memi.users.events import SessionsEnded
from memi.users.models import User


@dataclass(frozen=True)
class Device:
    """Where a sign-in comes from."""

    user_agent: str | None
    ip: str | None


@dataclass(frozen=True)
class AuthPolicy:
    """What signing in needs of the configuration."""

    tokens: AccessTokens
    refresh_days: int
    grace_seconds: int

    @classmethod
    def of(cls, settings: Settings, tokens: AccessTokens) -> "AuthPolicy":
        return cls(tokens, settings.refresh_token_days, settings.refresh_grace_seconds)


async def register(
    session: AsyncSession, policy: AuthPolicy, data: Registration, password_hash: str, device: Device
) -> SignedIn:
    """Make an account and sign it in; raises `EmailTaken`."""
    user = await users.create(
        session, email=data.email, name=data.name, password_hash=password_hash, city=data.city, locale=data.locale
    )
    return await sign_in(session, policy, user, device)


async def login(runtime: Runtime, session: AsyncSession, data: Login, device: Device) -> SignedIn:
    """Sign in; raises `InvalidCredentials`, after the same work whether the address is known or not.

    Nothing is open while the password is verified, and `session` is not used before: that takes long, and a crowd
    signing in would keep every connection from everybody else.
    """
    async with runtime.unit_of_work() as looking_up:
        seen = await users.find_by_email(looking_up, data.email)
    stored = seen.password_hash if seen is not None and seen.deleted_at is None else None
    matches, better_hash = await runtime.adapters.get(PasswordHasher).verify(data.password.get_secret_value(), stored)
    if seen is None or not matches:
        raise InvalidCredentials
    user = await users.find_by_email(session, data.email)
    if user is None or user.deleted_at is not None or user.epoch != seen.epoch:
        raise InvalidCredentials  # what was verified was taken back meanwhile
    if user.is_blocked:
        raise AccountBlocked
    if better_hash is not None and user.password_hash == stored:
        await users.set_password_hash(session, user.id, better_hash)
    return await sign_in(session, runtime.adapters.get(AuthPolicy), user, device)


async def sign_in(session: AsyncSession, policy: AuthPolicy, user: User, device: Device) -> SignedIn:
    """Open a session for an account whose identity has been proved."""
    opened = AuthSession(
        id=new_id(), user_id=user.id, epoch=user.epoch, user_agent=(device.user_agent or "")[:400] or None, ip=device.ip
    )
    session.add(opened)
    await session.flush()
    reply = await _issue(session, policy, opened, user)
    return SignedIn(
        user=users.to_read(user),
        access_token=reply.access_token,
        token_type=reply.token_type,
        expires_in=reply.expires_in,
        refresh_token=reply.refresh_token,
    )


async def refresh(session: AsyncSession, policy: AuthPolicy, token: str) -> TokenReply | Literal["invalid", "reused"]:
    """Rotate a refresh token. "reused" has revoked its whole family, which the caller must commit before refusing."""
    found = await queries.lock_token(session, hash_token(token))
    if found is None:
        return "invalid"
    row, opened, user = found
    now = await queries.database_now(session)
    if opened.revoked_at is not None or row.expires_at <= now or user.is_blocked or user.deleted_at is not None:
        return "invalid"
    if opened.epoch != user.epoch:
        return "invalid"
    if row.rotated_at is not None:
        # A parallel retry of the same client gets one sibling; anything else is somebody with a stolen token.
        if row.siblings > 0 or now - row.rotated_at > timedelta(seconds=policy.grace_seconds):
            await end_sessions(session, user.id, opened.id, "refresh_token_reused")
            return "reused"
        row.siblings += 1
    else:
        row.rotated_at = now
    opened.last_seen_at = now
    return await _issue(session, policy, opened, user)


async def end_sessions(session: AsyncSession, user_id: UUID, session_id: UUID | None, because: str) -> None:
    """Revoke one session of a person, or all of them."""
    if await queries.revoke(session, user_id, session_id, because):
        publish(session, SessionsEnded(user_id, session_id))


async def logout_by_token(session: AsyncSession, token: str) -> None:
    """End the session of a refresh token; an unknown one is nothing to end."""
    found = await queries.lock_token(session, hash_token(token))
    if found is not None:
        await end_sessions(session, found[1].user_id, found[1].id, "logout")


async def _issue(session: AsyncSession, policy: AuthPolicy, opened: AuthSession, user: User) -> TokenReply:
    refresh_token = new_refresh_token()
    now = clock.now()
    session.add(
        RefreshToken(
            session_id=opened.id,
            token_hash=hash_token(refresh_token),
            expires_at=now + timedelta(days=policy.refresh_days),
        )
    )
    roles = frozenset(Role(role) for role in user.roles)
    access_token, expires_in = policy.tokens.issue(user.id, opened.id, roles, now)
    return TokenReply(access_token, "Bearer", expires_in, refresh_token)


class SessionChecker:
    """The platform's `SessionCheck`, answered by one prepared statement."""

    def __init__(self, hot: HotPool) -> None:
        self._hot = hot

    async def check(self, principal: Principal) -> Principal:
        rows = await self._hot.run(queries.STANDING_SESSION, session_id=principal.session_id, user_id=principal.user_id)
        if not rows:
            raise InvalidToken
        roles = frozenset(Role(role) for role in rows[0]["roles"])
        return Principal(principal.user_id, principal.session_id, roles, principal.expires_at)
