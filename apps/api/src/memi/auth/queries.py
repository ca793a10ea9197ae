"""Every statement of the auth feature."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from memi.auth.models import AuthSession, RefreshToken
from memi.platform.hot_pool import HotStatement
from memi.users.models import User
from memi.users.queries import stands

STANDING_SESSION = HotStatement(
    select(User.roles)
    .join(AuthSession, AuthSession.user_id == User.id)
    .where(
        AuthSession.id == bindparam("session_id"),
        AuthSession.user_id == bindparam("user_id"),
        AuthSession.revoked_at.is_(None),
        AuthSession.epoch == User.epoch,
        stands(),
    )
)
"""The present roles of a session's account, if both still stand."""


async def lock_token(session: AsyncSession, token_hash: bytes) -> tuple[RefreshToken, AuthSession, User] | None:
    """A refresh token with its session and account, the token and session locked."""
    row = (
        await session.execute(
            select(RefreshToken, AuthSession, User)
            .join(AuthSession, AuthSession.id == RefreshToken.session_id)
            .join(User, User.id == AuthSession.user_id)
            .where(RefreshToken.token_hash == token_hash)
            .with_for_update(of=[AuthSession, RefreshToken])
        )
    ).first()
    return None if row is None else (row[0], row[1], row[2])


async def database_now(session: AsyncSession) -> datetime:
    return (await session.execute(select(func.now()))).scalar_one()


async def revoke(session: AsyncSession, user_id: UUID, session_id: UUID | None, because: str) -> list[UUID]:
    """End one session of a person, or all; returns the ids of those that ended now."""
    statement = (
        update(AuthSession)
        .where(AuthSession.user_id == user_id, AuthSession.revoked_at.is_(None))
        .values(revoked_at=func.now(), revoked_because=because)
        .returning(AuthSession.id)
    )
    if session_id is not None:
        statement = statement.where(AuthSession.id == session_id)
    return list((await session.scalars(statement)).all())
