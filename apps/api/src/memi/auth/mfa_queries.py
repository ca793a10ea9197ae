"""Every statement about second factors."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from memi.auth.models import AuthSession, MfaChallenge, RecoveryCode, TotpFactor
from memi.users.models import User


async def factor(session: AsyncSession, user_id: UUID) -> TotpFactor | None:
    statement = select(TotpFactor).where(TotpFactor.user_id == user_id).execution_options(populate_existing=True)
    return await session.scalar(statement)


async def put_unconfirmed(session: AsyncSession, user_id: UUID, sealed: bytes) -> bool:
    """Store a factor in place of one that was never confirmed; False when there is a confirmed one."""
    statement = insert(TotpFactor).values(user_id=user_id, secret=sealed)
    kept = statement.on_conflict_do_update(
        index_elements=[TotpFactor.user_id],
        set_={"secret": statement.excluded.secret, "created_at": func.now(), "last_step": None},
        where=TotpFactor.confirmed_at.is_(None),
    )
    return await session.scalar(kept.returning(TotpFactor.user_id)) is not None


async def confirm(session: AsyncSession, user_id: UUID, secret: bytes, step: int) -> bool:
    """Confirm the factor that was shown to work; False when it was confirmed, replaced or removed meanwhile."""
    statement = (
        update(TotpFactor)
        .where(TotpFactor.user_id == user_id, TotpFactor.secret == secret, TotpFactor.confirmed_at.is_(None))
        .values(confirmed_at=func.now(), last_step=step)
        .returning(TotpFactor.user_id)
    )
    return await session.scalar(statement) is not None


async def use_step(session: AsyncSession, user_id: UUID, secret: bytes, step: int, resealed: bytes) -> bool:
    """Move a confirmed factor on to `step`; False when it is there or beyond already: a step works once."""
    statement = (
        update(TotpFactor)
        .where(
            TotpFactor.user_id == user_id,
            TotpFactor.secret == secret,
            TotpFactor.confirmed_at.is_not(None),
            or_(TotpFactor.last_step.is_(None), TotpFactor.last_step < step),
        )
        .values(last_step=step, secret=resealed)
        .returning(TotpFactor.user_id)
    )
    return await session.scalar(statement) is not None


async def use_recovery_code(session: AsyncSession, user_id: UUID, code_hash: bytes) -> bool:
    """Spend a recovery code; False when there is none like it that is unspent."""
    statement = (
        update(RecoveryCode)
        .where(RecoveryCode.user_id == user_id, RecoveryCode.code_hash == code_hash, RecoveryCode.used_at.is_(None))
        .values(used_at=func.now())
        .returning(RecoveryCode.user_id)
    )
    return await session.scalar(statement) is not None


async def replace_recovery_codes(session: AsyncSession, user_id: UUID, hashes: Iterable[bytes]) -> None:
    await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    session.add_all(RecoveryCode(user_id=user_id, code_hash=code_hash) for code_hash in hashes)
    await session.flush()


async def recovery_codes_left(session: AsyncSession, user_id: UUID) -> int:
    statement = select(func.count()).where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
    return (await session.execute(statement)).scalar_one()


async def remove(session: AsyncSession, user_id: UUID) -> bool:
    """Forget a person's factor, recovery codes and half-done sign-ins; whether there was a confirmed factor."""
    await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    await session.execute(delete(MfaChallenge).where(MfaChallenge.user_id == user_id))
    await session.execute(update(AuthSession).where(AuthSession.user_id == user_id).values(mfa_at=None))
    removed = await session.scalar(
        delete(TotpFactor).where(TotpFactor.user_id == user_id).returning(TotpFactor.confirmed_at)
    )
    return removed is not None


async def challenged(session: AsyncSession, token_hash: bytes) -> UUID | None:
    """Whose half-done sign-in it is."""
    return await session.scalar(select(MfaChallenge.user_id).where(MfaChallenge.token_hash == token_hash))


async def lock_challenge(session: AsyncSession, token_hash: bytes) -> tuple[MfaChallenge, User, datetime] | None:
    """A half-done sign-in, locked, with its account and the time now."""
    row = (
        await session.execute(
            select(MfaChallenge, User, func.now())
            .join(User, User.id == MfaChallenge.user_id)
            .where(MfaChallenge.token_hash == token_hash)
            .with_for_update(of=MfaChallenge)
            .execution_options(populate_existing=True)
        )
    ).first()
    return None if row is None else (row[0], row[1], row[2])


async def prune_challenges(session: AsyncSession) -> None:
    await session.execute(delete(MfaChallenge).where(MfaChallenge.expires_at < func.now()))


async def own_session(session: AsyncSession, session_id: UUID) -> AuthSession | None:
    """A session, locked until the end of the unit of work."""
    statement = select(AuthSession).where(AuthSession.id == session_id).with_for_update()
    return await session.scalar(statement.execution_options(populate_existing=True))


async def mark_shown(session: AsyncSession, session_id: UUID) -> None:
    """The second factor was shown in this session."""
    await session.execute(update(AuthSession).where(AuthSession.id == session_id).values(mfa_at=func.now()))
