"""Tables of orders."""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from memi.platform.column_types import CreatedAt, OptionalTimestamp
from memi.platform.database import Base
from memi.platform.ids import new_id

UNPAID = "status IN ('PENDING','AWAITING_PAYMENT')"
LIVE = "status IN ('PENDING','AWAITING_PAYMENT','PAID','COMPLETED')"


class Order(Base):
    """A purchase. What was agreed is frozen into it. One per listing at most is open, paid or completed."""

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint(
            "status IN ('PENDING','AWAITING_PAYMENT','PAID','COMPLETED','CANCELLED','PAYMENT_FAILED','REFUNDED')",
            name="status",
        ),
        CheckConstraint("delivery IN ('MEETUP','SHIPPING')", name="delivery"),
        CheckConstraint("cancelled_by IN ('BUYER','SELLER')", name="cancelled_by"),
        CheckConstraint("buyer_id <> seller_id", name="two_people"),
        CheckConstraint("price_amount > 0", name="price_positive"),
        CheckConstraint("delivery = 'SHIPPING' OR address IS NULL", name="address_is_for_shipping"),
        CheckConstraint(f"({UNPAID}) = (expires_at IS NOT NULL)", name="unpaid_has_end"),
        Index("uq_orders_live", "listing_id", unique=True, postgresql_where=text(LIVE)),
        Index(None, "listing_id"),
        Index(None, "reservation_id"),
        Index(None, "buyer_id", text("id DESC")),
        Index(None, "seller_id", text("id DESC")),
        Index(None, "chat_id"),
        Index(None, "cover_upload_id"),
        Index(None, "updated_at"),
        Index("uq_orders_payment_id", "payment_id", unique=True, postgresql_where=text("payment_id IS NOT NULL")),
        Index("ix_orders_expiring", "expires_at", postgresql_where=text(UNPAID)),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    listing_id: Mapped[UUID] = mapped_column(ForeignKey("listings.id", ondelete="RESTRICT"))
    reservation_id: Mapped[UUID | None] = mapped_column(ForeignKey("reservations.id", ondelete="RESTRICT"))
    buyer_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    seller_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    chat_id: Mapped[UUID] = mapped_column(ForeignKey("chats.id", ondelete="RESTRICT"))
    status: Mapped[str] = mapped_column(Text, server_default="PENDING")
    delivery: Mapped[str] = mapped_column(Text)
    address: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """Where to, as the buyer's address book had it."""
    title: Mapped[str] = mapped_column(Text)
    price_amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(Text)
    cover_upload_id: Mapped[UUID | None] = mapped_column(ForeignKey("uploads.id", ondelete="RESTRICT"))
    buyer_name: Mapped[str | None] = mapped_column(Text)
    seller_name: Mapped[str | None] = mapped_column(Text)
    """Null once the person is erased."""
    payment_id: Mapped[str | None] = mapped_column(Text)
    payment_url: Mapped[str | None] = mapped_column(Text)
    payment_flag: Mapped[str | None] = mapped_column(Text)
    """What the payments service told that does not fit this order, for staff to look at."""
    ended_because: Mapped[str | None] = mapped_column(Text)
    """Why the clock, payments, the listing or staff ended it; null when one of the two did."""
    cancel_reason: Mapped[str | None] = mapped_column(Text)
    """In the words of who cancelled; null once that person is erased."""
    cancelled_by: Mapped[str | None] = mapped_column(Text)
    """Which of the two cancelled. Not known of orders that were cancelled before this was written down."""
    version: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    expires_at: Mapped[OptionalTimestamp]
    """When it lapses unless it is paid or completed."""
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    paid_at: Mapped[OptionalTimestamp]
    completed_at: Mapped[OptionalTimestamp]


class RefundRequest(Base):
    """Money that came for an order that was over, and must go back. One per order."""

    __tablename__ = "refund_requests"
    __table_args__ = (
        CheckConstraint("status IN ('REQUESTED','SENT','DONE')", name="status"),
        CheckConstraint("amount > 0", name="amount_positive"),
        Index("uq_refund_requests_order_id", "order_id", unique=True),
        Index("ix_refund_requests_open", "created_at", postgresql_where=text("status <> 'DONE'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id", ondelete="RESTRICT"))
    payment_id: Mapped[str] = mapped_column(Text)
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default="REQUESTED")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
