"""In-app notifications: one row per person and event."""

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from memi.platform.column_types import CreatedAt, OptionalTimestamp
from memi.platform.database import Base
from memi.platform.ids import new_id


class Notification(Base):
    __tablename__ = "notifications"
    __table_args__ = (
        CheckConstraint("type IN ('MESSAGE','RESERVATION','ORDER','LISTING','MODERATION','GENERIC')", name="type"),
        Index("uq_notifications_user_id_dedupe_key", "user_id", "dedupe_key", unique=True),
        Index(None, "user_id", text("id DESC")),
        Index("ix_notifications_unread", "user_id", text("id DESC"), postgresql_where=text("read_at IS NULL")),
        Index("ix_notifications_created_at", "created_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    type: Mapped[str] = mapped_column(Text)
    event: Mapped[str] = mapped_column(Text)
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    dedupe_key: Mapped[str] = mapped_column(Text)
    """Names the event: telling one person the same thing twice is refused by the unique index."""
    created_at: Mapped[CreatedAt]
    read_at: Mapped[OptionalTimestamp]
