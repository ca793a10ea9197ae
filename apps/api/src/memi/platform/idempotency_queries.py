"""Every statement of idempotency keys, and their table."""

from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Interval,
    LargeBinary,
    SmallInteger,
    Text,
    delete,
    func,
    insert,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from memi.platform.column_types import CreatedAt
from memi.platform.database import Base

_SAVEPOINT = "memi.idempotency.savepoint"


class IdempotencyKey(Base):
    """What a caller was told under a key."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (
        CheckConstraint("length(key) BETWEEN 1 AND 255", name="key_length"),
        CheckConstraint("status BETWEEN 200 AND 499", name="no_failure"),
        Index(None, "created_at"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int] = mapped_column(SmallInteger)
    headers: Mapped[list[list[str]]] = mapped_column(JSONB)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[CreatedAt]


class StoredReply(NamedTuple):
    status: int
    headers: list[list[str]]
    body: bytes


class Found(NamedTuple):
    fingerprint: bytes
    reply: StoredReply


async def try_lock(session: AsyncSession, user_id: UUID, key: str) -> bool:
    """Whether this transaction is the only one under the key now."""
    locked = func.pg_try_advisory_xact_lock(func.hashtextextended(f"idempotency/{user_id}/{key}", 0))
    return bool(await session.scalar(select(locked)))


async def find(session: AsyncSession, user_id: UUID, key: str) -> Found | None:
    """The reply stored under the key, while it is kept."""
    row = await session.get(IdempotencyKey, (user_id, key))
    return None if row is None else Found(row.fingerprint, StoredReply(row.status, row.headers, row.body))


async def mark(session: AsyncSession) -> None:
    """What follows can be undone without letting go of the lock."""
    session.info[_SAVEPOINT] = await session.begin_nested()


async def undo(session: AsyncSession) -> None:
    """Back to the mark, with nothing of it told."""
    savepoint: Any = session.info.pop(_SAVEPOINT)
    await savepoint.rollback()


async def store(session: AsyncSession, user_id: UUID, key: str, fingerprint: bytes, reply: StoredReply) -> None:
    await session.execute(
        insert(IdempotencyKey).values(
            user_id=user_id,
            key=key,
            fingerprint=fingerprint,
            status=reply.status,
            headers=reply.headers,
            body=reply.body,
        )
    )


async def prune(session: AsyncSession, hours: int) -> None:
    """Forget what was stored longer ago."""
    past = func.now() - literal(timedelta(hours=hours), Interval)
    await session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < past))
