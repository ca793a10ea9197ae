"""Tables of reports, of what was decided about them, and of appeals."""

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from memi.platform.column_types import CreatedAt, OptionalTimestamp
from memi.platform.database import Base
from memi.platform.ids import new_id

OPEN = "status = 'OPEN'"
STAFF = "STAFF"
"""The reason of what staff found by themselves: nobody's report, so it is neither counted nor answered as one."""


class Decision(Base):
    """What a moderator decided about somebody, and why. It may settle several reports."""

    __tablename__ = "moderation_decisions"
    __table_args__ = (
        CheckConstraint("action IN ('DISMISS','REMOVE_LISTING','WARN_USER','BLOCK_USER','CLOSE_CHAT')", name="action"),
        CheckConstraint("action = 'DISMISS' OR statement IS NOT NULL", name="action_is_explained"),
        CheckConstraint("decided_by <> subject_id", name="not_oneself"),
        Index(None, "subject_id", text("id DESC")),
        Index(None, "decided_by"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    subject_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    """Whom it is about."""
    action: Mapped[str] = mapped_column(Text)
    statement: Mapped[str | None] = mapped_column(Text)
    decided_by: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    decided_at: Mapped[CreatedAt]


class Report(Base):
    """Somebody's word about a listing, a person, a chat or a message. `target_id` stays when the thing itself goes."""

    __tablename__ = "reports"
    __table_args__ = (
        CheckConstraint("status IN ('OPEN','RESOLVED')", name="status"),
        CheckConstraint("(status = 'RESOLVED') = (decision_id IS NOT NULL)", name="resolved_by_decision"),
        CheckConstraint("status = 'OPEN' OR claimed_by IS NULL", name="claim_ends"),
        CheckConstraint("(claimed_by IS NULL) = (claimed_until IS NULL)", name="claim_has_end"),
        CheckConstraint("reporter_id <> subject_id", name="two_people"),
        CheckConstraint(
            "CASE target_type WHEN 'LISTING' THEN chat_id IS NULL AND coalesce(listing_id, target_id) = target_id "
            "WHEN 'USER' THEN listing_id IS NULL AND chat_id IS NULL AND subject_id = target_id "
            "WHEN 'CHAT' THEN listing_id IS NULL AND chat_id IS NOT NULL AND chat_id = target_id "
            "WHEN 'MESSAGE' THEN listing_id IS NULL AND chat_id IS NOT NULL AND message_id IS NOT NULL "
            "AND message_id = target_id ELSE false END AND (target_type = 'MESSAGE' OR message_id IS NULL)",
            name="target",
        ),
        Index("uq_reports_open", "reporter_id", "target_type", "target_id", unique=True, postgresql_where=text(OPEN)),
        Index("ix_reports_queue", "id", postgresql_where=text(OPEN)),
        Index(None, "target_type", "target_id"),
        Index(None, "reporter_id", text("id DESC")),
        Index(None, "subject_id", text("id DESC")),
        Index(None, "listing_id"),
        Index(None, "chat_id"),
        Index(None, "message_id"),
        Index(None, "claimed_by"),
        Index(None, "decision_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    reporter_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    subject_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    """Whom it is about: the seller, the person, the other one in the chat, the sender."""
    target_type: Mapped[str] = mapped_column(Text)
    target_id: Mapped[UUID]
    listing_id: Mapped[UUID | None] = mapped_column(ForeignKey("listings.id", ondelete="SET NULL"))
    chat_id: Mapped[UUID | None] = mapped_column(ForeignKey("chats.id", ondelete="RESTRICT"))
    message_id: Mapped[UUID | None] = mapped_column(ForeignKey("messages.id", ondelete="RESTRICT"))
    reason: Mapped[str] = mapped_column(Text)
    details: Mapped[str | None] = mapped_column(Text)
    snapshot: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """The target as it was; empty once its owner is erased."""
    status: Mapped[str] = mapped_column(Text, server_default="OPEN")
    claimed_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    claimed_until: Mapped[OptionalTimestamp]
    decision_id: Mapped[UUID | None] = mapped_column(ForeignKey("moderation_decisions.id", ondelete="RESTRICT"))
    created_at: Mapped[CreatedAt]


class Appeal(Base):
    """The affected person's answer to a decision. One per decision, decided by somebody else."""

    __tablename__ = "moderation_appeals"
    __table_args__ = (
        CheckConstraint("status IN ('OPEN','UPHELD','OVERTURNED')", name="status"),
        CheckConstraint(
            "CASE status WHEN 'OPEN' THEN decided_by IS NULL AND decided_at IS NULL "
            "ELSE decided_by IS NOT NULL AND decided_at IS NOT NULL AND statement IS NOT NULL END",
            name="decided_has_decider",
        ),
        Index("uq_moderation_appeals_decision_id", "decision_id", unique=True),
        Index("ix_moderation_appeals_queue", "id", postgresql_where=text(OPEN)),
        Index(None, "decided_by"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    decision_id: Mapped[UUID] = mapped_column(ForeignKey("moderation_decisions.id", ondelete="RESTRICT"))
    text: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default="OPEN")
    statement: Mapped[str | None] = mapped_column(Text)
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    decided_at: Mapped[OptionalTimestamp]
    created_at: Mapped[CreatedAt]
