"""What plug-ins said, and how long it took them."""

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Float, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from memi.platform.column_types import CreatedAt
from memi.platform.database import Base
from memi.platform.ids import new_id


class IntelligenceVerdict(Base):
    """One call. `subject_id` stays when the thing itself goes; `user_id` is whom it is about, if anybody."""

    __tablename__ = "intelligence_verdicts"
    __table_args__ = (
        CheckConstraint("subject_type IN ('LISTING','UPLOAD','MESSAGE','USER')", name="subject_type"),
        CheckConstraint("outcome IN ('OK','TIMEOUT','ERROR','SKIPPED')", name="outcome"),
        CheckConstraint("outcome = 'OK' OR verdict IS NULL", name="only_answers_have_a_verdict"),
        Index(None, "subject_id", "port", text("id DESC")),
        Index(None, "user_id", text("id DESC")),
        Index(None, "at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    at: Mapped[CreatedAt]
    port: Mapped[str] = mapped_column(Text)
    plugin: Mapped[str] = mapped_column(Text)
    plugin_version: Mapped[str] = mapped_column(Text)
    subject_type: Mapped[str] = mapped_column(Text)
    subject_id: Mapped[UUID]
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    outcome: Mapped[str] = mapped_column(Text)
    verdict: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    took_ms: Mapped[float] = mapped_column(Float)
