"""The audit log: append-only."""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from memi.platform.column_types import CreatedAt
from memi.platform.database import Base
from memi.platform.ids import new_id


class AuditEntry(Base):
    """Who did what to whom, when, why, and what changed. Never holds secrets.

    `chain_seq` and `hash` link an entry to the one before it. The database writes them when the entry commits, so that
    only its own transaction ever sees it without.
    """

    __tablename__ = "audit_log"
    __table_args__ = (
        CheckConstraint("num_nonnulls(chain_seq, hash) <> 1 AND length(hash) = 32", name="linked_whole"),
        Index("uq_audit_log_chain_seq", "chain_seq", unique=True),
        Index(None, text("at DESC"), text("id DESC")),
        Index(None, "actor_id"),
        Index(None, "impersonator_id"),
        Index(None, "target_type", "target_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    at: Mapped[CreatedAt]
    actor_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    impersonator_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    action: Mapped[str] = mapped_column(Text)
    target_type: Mapped[str] = mapped_column(Text)
    target_id: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    chain_seq: Mapped[int | None] = mapped_column(BigInteger)
    hash: Mapped[bytes | None] = mapped_column(LargeBinary)


class AuditHead(Base):
    """The end of the chain, in its one row: by it entries that were cut off are missed."""

    __tablename__ = "audit_head"
    __table_args__ = (CheckConstraint("one", name="one"), CheckConstraint("length(hash) = 32", name="is_sha256"))

    one: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    seq: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
