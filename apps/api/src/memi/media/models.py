"""Tables of uploads and of who uses them."""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from memi.platform.column_types import CreatedAt, OptionalTimestamp, RequiredTimestamp
from memi.platform.database import Base
from memi.platform.ids import new_id


class Upload(Base):
    """A picture on its way to being shown. `renditions`: [{key, width, height, content_type}] when READY."""

    __tablename__ = "uploads"
    __table_args__ = (
        CheckConstraint("status IN ('PENDING','UPLOADED','PROCESSING','READY','REJECTED')", name="status"),
        CheckConstraint("(status = 'REJECTED') = (rejection_code IS NOT NULL)", name="rejected_has_code"),
        CheckConstraint(
            "status <> 'READY' OR (renditions IS NOT NULL AND blurhash IS NOT NULL)", name="ready_is_whole"
        ),
        Index(None, "owner_id"),
        Index("ix_uploads_stalled", "moved_at", postgresql_where="status IN ('UPLOADED','PROCESSING')"),
        Index("ix_uploads_unclaimed", "unclaimed_since", postgresql_where="unclaimed_since IS NOT NULL"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE", use_alter=True))
    filename: Mapped[str] = mapped_column(Text)
    content_type: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default="PENDING")
    rejection_code: Mapped[str | None] = mapped_column(Text)
    incoming_key: Mapped[str] = mapped_column(Text)
    """Where the client puts it; a second PUT there changes nothing that is used."""
    original_key: Mapped[str] = mapped_column(Text)
    """The private copy that is processed; never public."""
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    """How often processing was begun, counted before it runs, so that a picture that kills its worker still ends."""
    pending_keys: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    """Public objects that an unfinished attempt may have written; whoever comes next removes them."""
    width: Mapped[int | None] = mapped_column(Integer)
    height: Mapped[int | None] = mapped_column(Integer)
    blurhash: Mapped[str | None] = mapped_column(Text)
    phash: Mapped[int | None] = mapped_column(BigInteger)
    renditions: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB)
    created_at: Mapped[CreatedAt]
    moved_at: Mapped[CreatedAt]
    """When the status changed last, or an attempt began."""
    unclaimed_since: Mapped[OptionalTimestamp] = mapped_column(server_default=text("now()"))
    """Null while somebody claims it."""
    url_expires_at: Mapped[RequiredTimestamp]
    finished_at: Mapped[OptionalTimestamp]


class UploadClaim(Base):
    """Somebody uses this upload (`listing:<id>`, `user:<id>`, `message:<id>`); without a claim it is swept."""

    __tablename__ = "upload_claims"

    upload_id: Mapped[UUID] = mapped_column(ForeignKey("uploads.id", ondelete="CASCADE"), primary_key=True)
    claimant: Mapped[str] = mapped_column(Text, primary_key=True)
