"""Tables of what is said between memi and the payments service."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, SmallInteger, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from memi.platform.column_types import CreatedAt, OptionalTimestamp
from memi.platform.database import Base
from memi.platform.ids import new_id


class PaymentAttempt(Base):
    """One call of the service, written down before it is made. Without an end its process died, or is still at it."""

    __tablename__ = "payment_attempts"
    __table_args__ = (
        CheckConstraint("purpose IN ('begin','look','cancel','refund')", name="purpose"),
        CheckConstraint("outcome IN ('answered','refused','unreachable','turned_away','unclear')", name="outcome"),
        CheckConstraint("(finished_at IS NULL) = (outcome IS NULL)", name="finished_has_outcome"),
        Index("uq_payment_attempts_number", "order_id", "purpose", "number", unique=True),
        Index(None, "started_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    """Sent along as the request's id."""
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id", ondelete="RESTRICT"))
    purpose: Mapped[str] = mapped_column(Text)
    number: Mapped[int] = mapped_column(Integer)
    """From 1, per order and purpose."""
    started_at: Mapped[CreatedAt]
    finished_at: Mapped[OptionalTimestamp]
    outcome: Mapped[str | None] = mapped_column(Text)
    http_status: Mapped[int | None] = mapped_column(SmallInteger)
    detail: Mapped[str | None] = mapped_column(Text)


class PaymentBreaker(Base):
    """The circuit breaker before the service: one row, so that all processes know what one found out."""

    __tablename__ = "payment_breaker"
    __table_args__ = (
        CheckConstraint("id = 1", name="one_row"),
        CheckConstraint("failures >= 0", name="failures_counted"),
    )

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False, server_default=text("1"))
    failures: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    """In a row, since the last answer."""
    open_until: Mapped[OptionalTimestamp]
    """Nobody asks before. Afterwards one does, and the others wait for what it finds."""
    probe_until: Mapped[OptionalTimestamp]


class WebhookDelivery(Base):
    """A genuine event, recorded in the transaction of its effect."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        CheckConstraint(
            "outcome IN ('applied','unchanged','refund_requested','mismatch','unknown_order','ignored')",
            name="outcome",
        ),
        Index(None, "order_id"),
        Index(None, "received_at"),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    """Its `webhook-id`, the same for each delivery of the event."""
    type: Mapped[str] = mapped_column(Text)
    order_id: Mapped[UUID | None] = mapped_column(ForeignKey("orders.id", ondelete="RESTRICT"))
    payment_id: Mapped[str | None] = mapped_column(Text)
    event_at: Mapped[OptionalTimestamp]
    """When it happened, by the service."""
    outcome: Mapped[str] = mapped_column(Text)
    received_at: Mapped[CreatedAt]
