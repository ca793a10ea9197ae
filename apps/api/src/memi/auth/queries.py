"""Every statement of the auth feature."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Interval, and_, bindparam, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from memi.auth.models import AuthSession, RefreshToken, TotpFactor
from memi.platform.hot_pool import HotStatement
from memi.users.models import User
from memi.users.queries import stands

CsrfCheck = Callable[[UUID], None]
"""Raises `CsrfFailed` unless the call was meant for this session."""


def _stands() -> ColumnElement[bool]:
    return and_(AuthSession.revoked_at.is_(None), AuthSession.expires_at > func.now())


STANDING_SESSION = HotStatement(
    select(
        User.roles,
        AuthSession.authenticated_at,
        AuthSession.mfa_at,
        (AuthSession.authenticated_at > func.now() - bindparam("step_up", type_=Interval())).label("recently_proved"),
    )
    .join(AuthSession, AuthSession.user_id == User.id)
    .where(
        AuthSession.id == bindparam("session_id"),
        AuthSession.user_id == bindparam("user_id"),
        _stands(),
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


async def session_of_token(session: AsyncSession, token_hash: bytes) -> AuthSession | None:
    """The session that a browser kept, told by a refresh token of it."""
    statement = select(AuthSession).join(RefreshToken).where(RefreshToken.token_hash == token_hash)
    return await session.scalar(statement)


async def database_now(session: AsyncSession) -> datetime:
    return (await session.execute(select(func.now()))).scalar_one()


async def revoke(
    session: AsyncSession, user_id: UUID, session_id: UUID | None, because: str, *, keep: UUID | None = None
) -> list[UUID]:
    """End one session of a person, or all but `keep`; returns the ids of those that ended now."""
    statement = (
        update(AuthSession)
        .where(AuthSession.user_id == user_id, AuthSession.revoked_at.is_(None))
        .values(revoked_at=func.now(), revoked_because=because)
        .returning(AuthSession.id)
    )
    if session_id is not None:
        statement = statement.where(AuthSession.id == session_id)
    if keep is not None:
        statement = statement.where(AuthSession.id != keep)
    return list((await session.scalars(statement)).all())


async def carry_over(session: AsyncSession, session_id: UUID, epoch: int) -> None:
    """Have a session outlive the rise of its account's epoch."""
    await session.execute(update(AuthSession).where(AuthSession.id == session_id).values(epoch=epoch))


async def standing_sessions(
    session: AsyncSession, user_id: UUID, before: UUID | None, limit: int
) -> Sequence[AuthSession]:
    """A person's sessions that stand, newest first; ids are time-ordered."""
    statement = (
        select(AuthSession)
        .join(User, User.id == AuthSession.user_id)
        .where(AuthSession.user_id == user_id, _stands(), AuthSession.epoch == User.epoch)
        .order_by(AuthSession.id.desc())
        .limit(limit)
    )
    if before is not None:
        statement = statement.where(AuthSession.id < before)
    return (await session.scalars(statement)).all()


async def has_second_factor(session: AsyncSession, user_id: UUID) -> bool:
    """Whether the account has a confirmed authenticator app."""
    statement = select(TotpFactor.user_id).where(TotpFactor.user_id == user_id, TotpFactor.confirmed_at.is_not(None))
    return await session.scalar(statement) is not None


async def prune_sessions(session: AsyncSession, days: int) -> None:
    """Forget sessions, with their tokens, that ended `days` ago."""
    past = func.now() - func.make_interval(0, 0, 0, days)
    await session.execute(delete(AuthSession).where(or_(AuthSession.expires_at < past, AuthSession.revoked_at < past)))
