"""Statements of giving people what is known of their sign-ins, and of erasing it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from memi.auth.models import AuthSession, MailToken, MfaChallenge, RecoveryCode, TotpFactor
from memi.auth.oauth_models import ExternalIdentity, OAuthResult


async def sessions_of(session: AsyncSession, user_id: UUID, after: UUID | None, limit: int) -> Sequence[AuthSession]:
    """Ended ones too, in the order of their ids."""
    statement = select(AuthSession).where(AuthSession.user_id == user_id).order_by(AuthSession.id).limit(limit)
    if after is not None:
        statement = statement.where(AuthSession.id > after)
    return (await session.scalars(statement)).all()


async def identities_of(session: AsyncSession, user_id: UUID) -> Sequence[ExternalIdentity]:
    """One for each provider at most."""
    statement = select(ExternalIdentity).where(ExternalIdentity.user_id == user_id).order_by(ExternalIdentity.provider)
    return (await session.scalars(statement)).all()


async def second_factor_of(session: AsyncSession, user_id: UUID) -> tuple[datetime | None, int]:
    """(since when an authenticator app is set up, how many recovery codes are left)."""
    since = select(TotpFactor.confirmed_at).where(TotpFactor.user_id == user_id)
    codes = select(func.count()).where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
    return await session.scalar(since), (await session.execute(codes)).scalar_one()


async def erase(session: AsyncSession, user_id: UUID) -> None:
    """Everything by which the person could sign in; refresh tokens and trips to providers go with their sessions."""
    for table in (MailToken, MfaChallenge, OAuthResult, RecoveryCode, TotpFactor, ExternalIdentity, AuthSession):
        statement = delete(table).where(table.user_id == user_id)
        await session.execute(statement.execution_options(synchronize_session=False))
