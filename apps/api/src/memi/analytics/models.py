"""Tables of analytics: the facts that no other table keeps, and what is counted of each day."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    ForeignKey,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from memi.chat.models import Message
from memi.platform.column_types import CreatedAt, OptionalTimestamp, RequiredTimestamp
from memi.platform.database import Base
from memi.users.models import User

_BRIN: dict[str, Any] = {"postgresql_using": "brin", "postgresql_with": {"autosummarize": "true"}}


class StatusMove(Base):
    """What went from which status to which and when; triggers write it with the move. Nobody changes it afterwards.

    `before` is null where something came to be, `after` where it is gone. It names no person and refers to nothing
    that the database would check: that something was sold stays true when its listing is gone.
    """

    __tablename__ = "status_moves"
    __table_args__ = (
        PrimaryKeyConstraint("listing_id", "id"),
        CheckConstraint("subject IN ('LISTING','RESERVATION','ORDER')", name="subject"),
        Index("ix_status_moves_at", "at", **_BRIN),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity())
    at: Mapped[CreatedAt]
    subject: Mapped[str] = mapped_column(Text)
    subject_id: Mapped[UUID]
    listing_id: Mapped[UUID]
    before: Mapped[str | None] = mapped_column(Text)
    after: Mapped[str | None] = mapped_column(Text)


class UserDay(Base):
    """Somebody was here on this day; a trigger writes it when it is noted that they were."""

    __tablename__ = "user_days"
    __table_args__ = (PrimaryKeyConstraint("day", "user_id"), Index(None, "user_id", "day"))

    day: Mapped[date] = mapped_column(Date)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))


class AnalyticsMark(Base):
    """A day that is over has changed: it must be counted anew. Only added and removed, so that no mark gets lost."""

    __tablename__ = "analytics_marks"
    __table_args__ = (Index(None, "day"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    day: Mapped[date] = mapped_column(Date)


def _count() -> Mapped[int]:
    return mapped_column(Integer, server_default=text("0"))


class AnalyticsDay(Base):
    """One day (UTC). `…_change` is how many more listings have that status at its end than at its beginning."""

    __tablename__ = "analytics_days"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    made_at: Mapped[RequiredTimestamp]
    new_users: Mapped[int] = _count()
    left_users: Mapped[int] = _count()
    active_users: Mapped[int] = _count()
    visitors: Mapped[int] = _count()
    views: Mapped[int] = _count()
    searches: Mapped[int] = _count()
    listings_created: Mapped[int] = _count()
    listings_published: Mapped[int] = _count()
    listings_sold: Mapped[int] = _count()
    listings_expired: Mapped[int] = _count()
    listings_deleted: Mapped[int] = _count()
    listings_removed: Mapped[int] = _count()
    draft_change: Mapped[int] = _count()
    active_change: Mapped[int] = _count()
    reserved_change: Mapped[int] = _count()
    sold_change: Mapped[int] = _count()
    expired_change: Mapped[int] = _count()
    deleted_change: Mapped[int] = _count()
    removed_change: Mapped[int] = _count()
    chats_started: Mapped[int] = _count()
    messages_sent: Mapped[int] = _count()
    reservations_made: Mapped[int] = _count()
    reservations_accepted: Mapped[int] = _count()
    reservations_rejected: Mapped[int] = _count()
    reservations_cancelled: Mapped[int] = _count()
    reservations_completed: Mapped[int] = _count()
    reservations_expired: Mapped[int] = _count()
    orders_made: Mapped[int] = _count()
    orders_paid: Mapped[int] = _count()
    orders_completed: Mapped[int] = _count()
    orders_cancelled: Mapped[int] = _count()
    orders_payment_failed: Mapped[int] = _count()
    orders_refunded: Mapped[int] = _count()
    waits: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    """How long listings that got their first message on this day had waited for it; see `waits.py`."""
    cohort_made_at: Mapped[OptionalTimestamp]
    cohort_listed: Mapped[int] = _count()
    """Listings first shown on this day, and how many of them were sold within 30 days."""
    cohort_sold: Mapped[int] = _count()


def _spans() -> CheckConstraint:
    """A month is the sum of its days, written with each of them, so that a year is read by its months."""
    return CheckConstraint("span IN ('DAY','MONTH')", name="span")


class AnalyticsCategory(Base):
    """One day or month of one category, by its slug; the empty one is of listings that have none."""

    __tablename__ = "analytics_categories"
    __table_args__ = (_spans(),)

    span: Mapped[str] = mapped_column(Text, primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    category: Mapped[str] = mapped_column(Text, primary_key=True)
    views: Mapped[int] = _count()
    contacts: Mapped[int] = _count()
    sold: Mapped[int] = _count()


class AnalyticsSearch(Base):
    """Words that enough different visitors searched for on a day, so that nobody's own are among them.

    A month sums its days, so that whoever came on several counts several times.
    """

    __tablename__ = "analytics_searches"
    __table_args__ = (_spans(), CheckConstraint("visitors >= 5", name="nobodys_own"))

    span: Mapped[str] = mapped_column(Text, primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    words: Mapped[str] = mapped_column(Text, primary_key=True)
    searches: Mapped[int] = _count()
    visitors: Mapped[int] = _count()


class AnalyticsCohort(Base):
    """Listings first shown on a day or in a month, by category, and how far they came within 30 days."""

    __tablename__ = "analytics_cohorts"
    __table_args__ = (_spans(),)

    span: Mapped[str] = mapped_column(Text, primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    category: Mapped[str] = mapped_column(Text, primary_key=True)
    listed: Mapped[int] = _count()
    contacted: Mapped[int] = _count()
    reserved: Mapped[int] = _count()
    sold: Mapped[int] = _count()


class AnalyticsPeriod(Base):
    """How many different people were here in a week (from Monday) or month, which days do not add up to."""

    __tablename__ = "analytics_periods"
    __table_args__ = (CheckConstraint("kind IN ('WEEK','MONTH')", name="kind"),)

    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    start: Mapped[date] = mapped_column(Date, primary_key=True)
    made_at: Mapped[RequiredTimestamp]
    active_users: Mapped[int] = _count()


class AnalyticsRetention(Base):
    """Of the people who signed up in the week of `cohort`, how many were here in `week`."""

    __tablename__ = "analytics_retention"
    __table_args__ = (CheckConstraint("people > 0", name="somebody"), Index(None, "week"))

    cohort: Mapped[date] = mapped_column(Date, primary_key=True)
    week: Mapped[date] = mapped_column(Date, primary_key=True)
    people: Mapped[int] = mapped_column(Integer)


# What a day of these tables is found by. Messages lie in the order of their time, so a summary of pages is enough.
Index("ix_messages_created_at", Message.created_at, **_BRIN)
Index("ix_users_created_at", User.created_at)
Index("ix_users_deleted_at", User.deleted_at, postgresql_where=User.deleted_at.is_not(None))
