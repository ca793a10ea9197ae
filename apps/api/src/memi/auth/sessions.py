"""Sessions: opened by a sign-in, kept by rotating refresh tokens, ended by their owner, time or suspicion."""

from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from memi.auth import opening_queries, queries
from memi.auth.device import Device
from memi.auth.mails import MailKind, request_mail, tell_of_new_device
from memi.auth.models import AuthSession, RefreshToken
from memi.auth.opening_queries import Opening
from memi.auth.policy import SESSIONS_PER_USER, AuthPolicy
from memi.auth.schemas import SessionRead, Transport
from memi.auth.tokens import hash_token, new_refresh_token
from memi.platform.cursors import CursorSigner, Page
from memi.platform.errors import NotFound
from memi.platform.events import publish
from memi.platform.ids import new_id
from memi.users import service as users
from memi.users.events import SessionsEnded
from memi.users.models import User

_SCOPE = "auth.sessions"


class Issued(msgspec.Struct, frozen=True):
    """New tokens of a session, for its transport to carry."""

    session_id: UUID
    transport: Transport
    access_token: str
    expires_in: int
    refresh_token: str
    refresh_days: int


async def open_session(
    session: AsyncSession, policy: AuthPolicy, user: User, device: Device, transport: Transport, *, mfa: bool = False
) -> Issued:
    """Sign an account in whose owner has been proved; `mfa` says that a second factor was shown.

    In a browser it takes the place of the sign-in that was there.
    """
    before = await _kept(session, device) if transport == "cookie" else None
    if before is not None:
        await end_sessions(session, before.user_id, before.id, "signed_in_anew")
    session_id, refresh_token = new_id(), new_refresh_token()
    opened = await opening_queries.open_session(
        session,
        Opening(
            session_id=session_id,
            user_id=user.id,
            epoch=user.epoch,
            transport=transport,
            user_agent=device.user_agent,
            ip=device.ip,
            mfa=mfa,
            session_life=timedelta(days=policy.session_days),
            token_id=new_id(),
            token_hash=hash_token(refresh_token),
            token_life=timedelta(days=policy.refresh_days),
            most=SESSIONS_PER_USER,
        ),
    )
    for ended in opened.ended:
        publish(session, SessionsEnded(user.id, ended))
    if opened.new_device:
        await tell_of_new_device(session, user.id, device)
    roles, _ = policy.roles_of(user.roles, opened.at if mfa else None)
    access_token, expires_in = policy.tokens.issue(user.id, session_id, roles, opened.at)
    return Issued(session_id, transport, access_token, expires_in, refresh_token, policy.refresh_days)


async def kept_session(session: AsyncSession, device: Device) -> UUID | None:
    """The session that a browser keeps, unless it was revoked."""
    kept = await _kept(session, device)
    return None if kept is None or kept.revoked_at is not None else kept.id


async def _kept(session: AsyncSession, device: Device) -> AuthSession | None:
    return None if device.kept_token is None else await queries.session_of_token(session, device.kept_token)


async def refresh(
    session: AsyncSession,
    policy: AuthPolicy,
    token: str,
    transport: Transport,
    *,
    device: Device,
    csrf: queries.CsrfCheck | None,
) -> Issued | Literal["invalid", "reused"]:
    """Rotate a refresh token that came by `transport`, which must be the session's own.

    "reused" has revoked the whole family, which the caller must commit before refusing. Raises `CsrfFailed`.
    """
    found = await queries.lock_token(session, hash_token(token))
    if found is None:
        return "invalid"
    row, opened, user = found
    if csrf is not None:
        csrf(opened.id)
    now = await queries.database_now(session)
    if not _stands(opened, user, now) or row.expires_at <= now or opened.transport != transport:
        return "invalid"
    if row.rotated_at is not None:
        # A parallel retry of the same client gets one sibling; anything else is somebody with a stolen token.
        grace = timedelta(seconds=policy.grace_seconds)
        late = not grace or now - row.rotated_at > grace
        if late or row.siblings > 0 or row.rotated_by != device.user_agent:
            await end_sessions(session, user.id, opened.id, "refresh_token_reused")
            await request_mail(session, MailKind.REFRESH_TOKEN_REUSED, user.id)
            return "reused"
        row.siblings += 1
    else:
        row.rotated_at, row.rotated_by = now, device.user_agent
    opened.last_seen_at = now
    await users.saw(session, user.id)
    refresh_token = new_refresh_token()
    session.add(
        RefreshToken(
            session_id=opened.id,
            token_hash=hash_token(refresh_token),
            expires_at=min(now + timedelta(days=policy.refresh_days), opened.expires_at),
        )
    )
    roles, _ = policy.roles_of(user.roles, opened.mfa_at)
    access_token, expires_in = policy.tokens.issue(user.id, opened.id, roles, now)
    return Issued(opened.id, transport, access_token, expires_in, refresh_token, policy.refresh_days)


def _stands(opened: AuthSession, user: User, now: datetime) -> bool:
    return (
        opened.revoked_at is None
        and opened.expires_at > now
        and opened.epoch >= user.epoch  # more when this waited for the session's lock while the epoch rose
        and not user.is_blocked
        and user.deleted_at is None
    )


async def end_sessions(session: AsyncSession, user_id: UUID, session_id: UUID | None, because: str) -> bool:
    """Revoke one session of a person, or all of them; whether any ended now."""
    if not await queries.revoke(session, user_id, session_id, because):
        return False
    publish(session, SessionsEnded(user_id, session_id))
    return True


async def end_all(session: AsyncSession, user_id: UUID, because: str) -> None:
    """Revoke every session of a person, and every sign-in that is under way just now."""
    await users.raise_epoch(session, user_id)
    await queries.revoke(session, user_id, None, because)
    publish(session, SessionsEnded(user_id, None))


async def end_others(session: AsyncSession, user_id: UUID, keep: UUID, because: str) -> None:
    """Revoke every session of a person but one, and every sign-in that is under way just now."""
    await queries.carry_over(session, keep, await users.raise_epoch(session, user_id))
    for ended in await queries.revoke(session, user_id, None, because, keep=keep):
        publish(session, SessionsEnded(user_id, ended))


async def end_one(session: AsyncSession, user_id: UUID, session_id: UUID) -> None:
    """Revoke a session of one's own; raises `NotFound` when there is no such session that stands."""
    if not await end_sessions(session, user_id, session_id, "revoked_by_owner"):
        raise NotFound


async def logout_by_token(session: AsyncSession, token: str, csrf: queries.CsrfCheck | None) -> None:
    """End the session of a refresh token; an unknown one is nothing to end. Raises `CsrfFailed`."""
    found = await queries.lock_token(session, hash_token(token))
    if found is None:
        return
    if csrf is not None:
        csrf(found[1].id)
    await end_sessions(session, found[1].user_id, found[1].id, "logout")


async def list_sessions(
    session: AsyncSession, cursors: CursorSigner, user_id: UUID, current: UUID, *, cursor: str | None, limit: int
) -> Page[SessionRead]:
    """A person's sessions that stand, the newest first."""
    before = None
    if cursor is not None:
        (value,) = cursors.decode(_SCOPE, cursor, (UUID,))
        assert isinstance(value, UUID)
        before = value
    found = await queries.standing_sessions(session, user_id, before, limit + 1)
    items = [
        SessionRead(
            id=item.id,
            device=item.user_agent,
            ip=item.ip,
            transport=item.transport,
            current=item.id == current,
            second_factor=item.mfa_at is not None,
            created_at=item.created_at,
            last_seen_at=item.last_seen_at,
            expires_at=item.expires_at,
        )
        for item in found[:limit]
    ]
    return Page(items, cursors.encode(_SCOPE, items[-1].id) if len(found) > limit else None)
