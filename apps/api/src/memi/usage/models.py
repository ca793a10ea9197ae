"""Tables of usage: what was done, whose leave there is, and what counting needs to remember."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from memi.platform.column_types import CreatedAt, RequiredTimestamp, Timestamp
from memi.platform.database import Base
from memi.platform.ids import new_id
from memi.usage.schemas import KINDS


class UsageEvent(Base):
    """Something that somebody did. Partitioned by month of `at`, never changed; whole months go when they are old.

    `listing_id` refers to nothing that the database would check: events outlive what they are about.
    """

    __tablename__ = "usage_events"
    __table_args__ = (
        CheckConstraint(f"kind IN ({', '.join(repr(kind) for kind in KINDS)})", name="kind"),
        CheckConstraint("position BETWEEN 1 AND 10000", name="position"),
        CheckConstraint("length(words) <= 100", name="words_are_short"),
        CheckConstraint("octet_length(visitor) = 16", name="visitor_is_key"),
        CheckConstraint("octet_length(person) = 16", name="person_is_key"),
        CheckConstraint("octet_length(properties::text) <= 1000", name="properties_are_small"),
        PrimaryKeyConstraint("at", "id"),
        # What of all this is somebody's: for them to read.
        Index("ix_usage_events_person", "person", "at", "id", postgresql_where=text("person IS NOT NULL")),
        {"postgresql_partition_by": "RANGE (at)"},
    )

    id: Mapped[UUID] = mapped_column(default=new_id)
    at: Mapped[Timestamp] = mapped_column(DateTime(timezone=True), server_default=func.clock_timestamp())
    kind: Mapped[str] = mapped_column(Text)
    listing_id: Mapped[UUID | None]
    search_id: Mapped[UUID | None]
    position: Mapped[int | None] = mapped_column(Integer)
    category: Mapped[str | None] = mapped_column(Text)
    words: Mapped[str | None] = mapped_column(Text)
    visitor: Mapped[bytes] = mapped_column(LargeBinary)
    person: Mapped[bytes | None] = mapped_column(LargeBinary)
    properties: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))


class UsageConsent(Base):
    """Whether somebody lets their events be told as one person's. Without `salt` nobody can tell which were theirs."""

    __tablename__ = "usage_consents"
    __table_args__ = (
        CheckConstraint("consent = (salt IS NOT NULL)", name="salt_only_with_consent"),
        CheckConstraint("octet_length(salt) = 16", name="salt_is_key"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    consent: Mapped[bool] = mapped_column(Boolean)
    salt: Mapped[bytes | None] = mapped_column(LargeBinary)
    changed_at: Mapped[CreatedAt]


class UsageDaySalt(Base):
    """What today's visitors are hashed with. Deleted when the day is over, and with it every way back to an address."""

    __tablename__ = "usage_day_salts"
    __table_args__ = (CheckConstraint("octet_length(salt) = 32", name="salt_is_key"),)

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    salt: Mapped[bytes] = mapped_column(LargeBinary)


class UsageViewer(Base):
    """Who saw which listing on which day, so that each counts once; kept for two days."""

    __tablename__ = "usage_viewers"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    listing_id: Mapped[UUID] = mapped_column(primary_key=True)
    visitor: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)


class UsageWatermark(Base):
    """How far a reader of the events has come: all of them up to and including `upto` are done."""

    __tablename__ = "usage_watermarks"

    reader: Mapped[str] = mapped_column(Text, primary_key=True)
    upto: Mapped[RequiredTimestamp]
