"""Every statement of signing in with other providers."""

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from memi.auth.models import AuthSession
from memi.auth.oauth_models import ExternalIdentity, OAuthFlow, OAuthResult
from memi.users.models import User
from memi.users.queries import stands


async def begin_flow(session: AsyncSession, lifetime: timedelta, **values: object) -> None:
    await session.execute(insert(OAuthFlow).values(expires_at=func.now() + lifetime, **values))


async def claim_flow(session: AsyncSession, provider: str, state_hash: bytes, browser_hash: bytes) -> OAuthFlow | None:
    """The trip that this browser began, if it is neither over nor too old; it is over from now on."""
    statement = (
        update(OAuthFlow)
        .where(
            OAuthFlow.state_hash == state_hash,
            OAuthFlow.provider == provider,
            OAuthFlow.browser_hash == browser_hash,
            OAuthFlow.used_at.is_(None),
            OAuthFlow.expires_at > func.now(),
        )
        .values(used_at=func.now())
        .returning(OAuthFlow)
    )
    return await session.scalar(statement)


async def lock_subject(session: AsyncSession, provider: str, subject: str) -> None:
    """Let nobody else work on this account of a provider, linked here or not, until the end of the unit of work."""
    digest = hashlib.sha256(f"oauth/{provider}/{subject}".encode()).digest()
    await session.execute(select(func.pg_advisory_xact_lock(int.from_bytes(digest[:8], signed=True))))


async def identity(session: AsyncSession, provider: str, subject: str) -> ExternalIdentity | None:
    return await session.scalar(
        select(ExternalIdentity).where(ExternalIdentity.provider == provider, ExternalIdentity.subject == subject)
    )


async def identities(session: AsyncSession, user_id: UUID) -> Sequence[ExternalIdentity]:
    """A person's, oldest first."""
    statement = select(ExternalIdentity).where(ExternalIdentity.user_id == user_id).order_by(ExternalIdentity.id)
    return (await session.scalars(statement)).all()


async def owner_of_session(session: AsyncSession, session_id: UUID) -> User | None:
    """Whose session it is, the account locked, if both still stand."""
    return await session.scalar(
        select(User)
        .join(AuthSession, AuthSession.user_id == User.id)
        .where(
            AuthSession.id == session_id,
            AuthSession.revoked_at.is_(None),
            AuthSession.expires_at > func.now(),
            AuthSession.epoch == User.epoch,
            stands(),
        )
        .with_for_update(of=User)
    )


async def keep_result(session: AsyncSession, lifetime: timedelta, **values: object) -> None:
    await session.execute(insert(OAuthResult).values(expires_at=func.now() + lifetime, **values))


async def claim_result(session: AsyncSession, code_hash: bytes, bound_to: bytes) -> UUID | None:
    """Whom a one-time code signs in, if it still does; it does no more from now on."""
    statement = (
        update(OAuthResult)
        .where(
            OAuthResult.code_hash == code_hash,
            OAuthResult.bound_to == bound_to,
            OAuthResult.used_at.is_(None),
            OAuthResult.expires_at > func.now(),
        )
        .values(used_at=func.now())
        .returning(OAuthResult.user_id)
    )
    return await session.scalar(statement)


async def prune(session: AsyncSession, age: timedelta) -> None:
    """Forget trips and their results that ended `age` ago."""
    await session.execute(delete(OAuthFlow).where(OAuthFlow.expires_at < func.now() - age))
    await session.execute(delete(OAuthResult).where(OAuthResult.expires_at < func.now() - age))
