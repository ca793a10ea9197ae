"""Tables of personal data's own processes."""

from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from memi.platform.column_types import CreatedAt, OptionalTimestamp
from memi.platform.database import Base
from memi.platform.ids import new_id


class DataExport(Base):
    """A ZIP of everything that is known of a person, made for them by a job.

    `object_key` is named before anything is written there, so that whoever comes next can remove it.
    """

    __tablename__ = "data_exports"
    __table_args__ = (
        CheckConstraint("status IN ('PENDING','READY','EXPIRED')", name="status"),
        CheckConstraint("(status = 'EXPIRED') = (object_key IS NULL)", name="has_file_until_expired"),
        CheckConstraint("(status = 'READY') <= (size IS NOT NULL AND expires_at IS NOT NULL)", name="ready_is_whole"),
        Index(None, "user_id"),
        Index("uq_data_exports_pending", "user_id", unique=True, postgresql_where="status = 'PENDING'"),
        Index("ix_data_exports_to_expire", "expires_at", postgresql_where="status = 'READY'"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    status: Mapped[str] = mapped_column(Text, server_default="PENDING")
    object_key: Mapped[str | None] = mapped_column(Text)
    size: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[CreatedAt]
    ready_at: Mapped[OptionalTimestamp]
    expires_at: Mapped[OptionalTimestamp]
