"""Tables of what people are told, how they want to hear of it, and what is mailed of it."""

from datetime import time
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, Text, Time, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from memi.platform.column_types import CreatedAt, OptionalTimestamp, RequiredTimestamp
from memi.platform.database import Base
from memi.platform.ids import new_id

_TYPES = "type IN ('MESSAGE','RESERVATION','ORDER','LISTING','MODERATION','GENERIC')"


class Notification(Base):
    """One person and one event. `in_app` and `push` say by which ways it was told; only `read_at` ever changes."""

    __tablename__ = "notifications"
    __table_args__ = (
        CheckConstraint(_TYPES, name="type"),
        Index("uq_notifications_user_id_dedupe_key", "user_id", "dedupe_key", unique=True),
        Index(None, "user_id", text("id DESC")),
        Index(
            "ix_notifications_unread",
            "user_id",
            text("id DESC"),
            postgresql_where=text("read_at IS NULL AND in_app"),
        ),
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
    in_app: Mapped[bool] = mapped_column(server_default=text("true"))
    push: Mapped[bool] = mapped_column(server_default=text("true"))


class NotificationPreference(Base):
    """Where a person wants something else than the default."""

    __tablename__ = "notification_preferences"
    __table_args__ = (
        CheckConstraint(_TYPES, name="type"),
        CheckConstraint("channel IN ('in_app','push','email')", name="channel"),
        CheckConstraint("enabled OR type <> 'MODERATION' OR channel <> 'in_app'", name="moderation_is_told"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    type: Mapped[str] = mapped_column(Text, primary_key=True)
    channel: Mapped[str] = mapped_column(Text, primary_key=True)
    enabled: Mapped[bool]


class NotificationSettings(Base):
    """Quiet hours and the digest of those who want either."""

    __tablename__ = "notification_settings"
    __table_args__ = (
        CheckConstraint("digest IN ('off','daily')", name="digest"),
        CheckConstraint(
            "num_nonnulls(quiet_from, quiet_to, time_zone) IN (0, 3) AND quiet_from <> quiet_to",
            name="quiet_hours_are_whole",
        ),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    quiet_from: Mapped[time | None] = mapped_column(Time)
    quiet_to: Mapped[time | None] = mapped_column(Time)
    time_zone: Mapped[str | None] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(Text)


class NotificationMail(Base):
    """The one mail that a notification may lead to; several may share one.

    DUE, then CLAIMED by a committed transaction before anything is sent, then SENT or FAILED. One that stays CLAIMED
    lost its worker in between: it may have gone out, so it is never sent again. DROPPED: there was no more reason.
    """

    __tablename__ = "notification_mails"
    __table_args__ = (
        CheckConstraint("kind IN ('single','messages','digest')", name="kind"),
        CheckConstraint("state IN ('DUE','CLAIMED','SENT','FAILED','DROPPED')", name="state"),
        Index("ix_notification_mails_due", "due_at", postgresql_where=text("state = 'DUE'")),
        Index("ix_notification_mails_user_id_state", "user_id", "state", "notification_id"),
    )

    notification_id: Mapped[UUID] = mapped_column(ForeignKey("notifications.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, server_default="DUE")
    due_at: Mapped[RequiredTimestamp]
    tries: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    claimed_at: Mapped[OptionalTimestamp]
