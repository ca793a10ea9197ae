"""Statements about mailed tokens and the accounts they are for."""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from memi.auth.models import MailToken
from memi.auth.oauth_models import ExternalIdentity
from memi.users.models import User


async def add(session: AsyncSession, token: MailToken, lifetime: timedelta) -> None:
    """Store a token that ends after `lifetime` by the database's clock."""
    token.expires_at = func.now() + lifetime  # pyright: ignore[reportAttributeAccessIssue]  # an SQL expression
    session.add(token)
    await session.flush()


async def keep_newest(session: AsyncSession, user_id: UUID, purpose: str, most: int) -> None:
    """Forget all unused tokens of a purpose but the newest; ids are time-ordered."""
    of_purpose = (MailToken.user_id == user_id, MailToken.purpose == purpose, MailToken.used_at.is_(None))
    older = select(MailToken.id).where(*of_purpose).order_by(MailToken.id.desc()).offset(most)
    await session.execute(delete(MailToken).where(MailToken.id.in_(older)).execution_options(synchronize_session=False))


async def find(session: AsyncSession, token_hash: bytes) -> tuple[MailToken, User] | None:
    """A token and its account as they are now, unlocked."""
    row = (
        await session.execute(
            select(MailToken, User).join(User, User.id == MailToken.user_id).where(MailToken.token_hash == token_hash)
        )
    ).first()
    return None if row is None else (row[0], row[1])


async def lock_account(session: AsyncSession, user_id: UUID) -> User | None:
    """The account, deleted or not, locked."""
    statement = select(User).where(User.id == user_id).with_for_update().execution_options(populate_existing=True)
    return await session.scalar(statement)


async def lock_account_by_email(session: AsyncSession, email: str) -> User | None:
    statement = select(User).where(User.email == email).with_for_update().execution_options(populate_existing=True)
    return await session.scalar(statement)


async def lock_token(session: AsyncSession, token_hash: bytes) -> MailToken | None:
    statement = select(MailToken).where(MailToken.token_hash == token_hash).with_for_update()
    return await session.scalar(statement.execution_options(populate_existing=True))


async def is_over(session: AsyncSession, row: MailToken) -> bool:
    """Whether its time has passed by the database's clock."""
    return (await session.execute(select(row.expires_at <= func.clock_timestamp()))).scalar_one()


async def mark_used(session: AsyncSession, row: MailToken) -> None:
    await session.execute(
        update(MailToken)
        .where(MailToken.id == row.id)
        .values(used_at=func.now())
        .execution_options(synchronize_session=False)
    )


async def void(session: AsyncSession, user_id: UUID, purposes: Collection[str], keep: UUID | None) -> None:
    """Forget tokens of these purposes, but for one."""
    statement = delete(MailToken).where(MailToken.user_id == user_id, MailToken.purpose.in_(purposes))
    if keep is not None:
        statement = statement.where(MailToken.id != keep)
    await session.execute(statement.execution_options(synchronize_session=False))


async def prune(session: AsyncSession) -> None:
    """Forget tokens whose time was over a day ago."""
    await session.execute(
        delete(MailToken)
        .where(MailToken.expires_at < func.now() - timedelta(days=1))
        .execution_options(synchronize_session=False)
    )


async def drop_identities(session: AsyncSession, user_id: UUID) -> None:
    """Unlink every other provider from an account."""
    await session.execute(
        delete(ExternalIdentity).where(ExternalIdentity.user_id == user_id).execution_options(synchronize_session=False)
    )
