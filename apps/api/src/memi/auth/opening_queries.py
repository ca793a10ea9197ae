"""Signing in, in as few statements as it takes: a crowd doing so at once must not keep everybody else waiting."""

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from memi.auth.models import TotpFactor
from memi.platform.hot_pool import HotStatement
from memi.users.models import User
from memi.users.queries import SAW

CREDENTIALS = HotStatement(
    select(User.password_hash, User.epoch).where(User.email == bindparam("email"), User.deleted_at.is_(None))
)
"""What a password is verified against."""

_FACTOR = select(TotpFactor.user_id).where(TotpFactor.user_id == User.id, TotpFactor.confirmed_at.is_not(None))
_ACCOUNT = select(User, _FACTOR.exists()).where(User.email == bindparam("email"), User.deleted_at.is_(None))

# No part of one statement sees what another writes: `others` are the sessions that were there before.
_OPEN = text(
    f"""
    WITH opened AS (
        INSERT INTO auth_sessions (id, user_id, epoch, transport, user_agent, ip, mfa_at, expires_at)
        VALUES (:session_id, :user_id, :epoch, :transport, CAST(:user_agent AS text), CAST(:ip AS text),
                CASE WHEN :mfa THEN now() END, now() + CAST(:session_life AS interval))
        RETURNING id, expires_at
    ), token AS (
        INSERT INTO refresh_tokens (id, session_id, token_hash, expires_at)
        SELECT :token_id, id, :token_hash, least(now() + CAST(:token_life AS interval), expires_at) FROM opened
    ), others AS (
        SELECT id, user_agent, last_seen_at, revoked_at IS NULL AND expires_at > now() AS stands
        FROM auth_sessions WHERE user_id = :user_id
    ), ended AS (
        UPDATE auth_sessions SET revoked_at = now(), revoked_because = 'too_many_sessions'
        WHERE revoked_at IS NULL AND id IN (
            SELECT id FROM others WHERE stands ORDER BY last_seen_at DESC, id DESC OFFSET CAST(:most AS int) - 1
        )
        RETURNING id
    ), seen AS (
        {SAW}
    )
    SELECT now(), ARRAY(SELECT id FROM ended),
        EXISTS (SELECT FROM others)
            AND NOT EXISTS (SELECT FROM others WHERE user_agent IS NOT DISTINCT FROM CAST(:user_agent AS text))
    """  # noqa: S608  # what is put in is as fixed as the rest
)


class Opening(msgspec.Struct, frozen=True):
    """A session to be, with its first refresh token. It ends the sessions used longest ago, so that `most` stay."""

    session_id: UUID
    user_id: UUID
    epoch: int
    transport: str
    user_agent: str | None
    ip: str | None
    mfa: bool
    session_life: timedelta
    token_id: UUID
    token_hash: bytes
    token_life: timedelta
    most: int


class Opened(NamedTuple):
    """When, by the database's clock; which sessions had to end for it; whether a person who has signed in before never
    did so from what calls itself this."""

    at: datetime
    ended: list[UUID]
    new_device: bool


async def account(session: AsyncSession, email: str) -> tuple[User, bool] | None:
    """The account of an address unless it is deleted, and whether it has a second factor."""
    row = (await session.execute(_ACCOUNT, {"email": email})).first()
    return None if row is None else (row[0], row[1])


async def open_session(session: AsyncSession, opening: Opening) -> Opened:
    return Opened(*(await session.execute(_OPEN, msgspec.structs.asdict(opening))).one())
