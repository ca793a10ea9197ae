"""Table of impersonations: who acted in whose place, why, from when until when."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from memi.platform.column_types import CreatedAt, OptionalTimestamp, RequiredTimestamp
from memi.platform.database import Base
from memi.platform.ids import new_id


class Impersonation(Base):
    """A member of staff acts in a person's place. The session of one access token, which cannot be refreshed.

    It hangs on the session of whoever began it and on the person's `epoch`; `chats` says that it may read theirs.
    """

    __tablename__ = "impersonations"
    __table_args__ = (
        CheckConstraint("user_id <> admin_id", name="not_oneself"),
        CheckConstraint("num_nonnulls(ended_at, ended_because) <> 1", name="ended_whole"),
        CheckConstraint("expires_at <= created_at + interval '15 minutes'", name="short"),
        Index(None, "user_id"),
        Index(None, "admin_id"),
        Index(None, "admin_session_id"),
        Index("ix_impersonations_newest", text("created_at DESC"), text("id DESC")),
        Index("ix_impersonations_open", "created_at", "id", postgresql_where="ended_at IS NULL"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    admin_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    admin_session_id: Mapped[UUID | None] = mapped_column(ForeignKey("auth_sessions.id", ondelete="SET NULL"))
    epoch: Mapped[int] = mapped_column(Integer)
    reason: Mapped[str] = mapped_column(Text)
    chats: Mapped[bool]
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[RequiredTimestamp]
    ended_at: Mapped[OptionalTimestamp]
    ended_because: Mapped[str | None] = mapped_column(Text)
