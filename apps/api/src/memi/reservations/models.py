"""Tables of reservations."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from memi.platform.column_types import CreatedAt, OptionalTimestamp, RequiredTimestamp
from memi.platform.database import Base
from memi.platform.ids import new_id

OPEN = "status IN ('REQUESTED','ACCEPTED')"


class Reservation(Base):
    """A buyer's wish to have an item kept. One is ACCEPTED per listing at most, one open per buyer and listing."""

    __tablename__ = "reservations"
    __table_args__ = (
        CheckConstraint(
            "status IN ('REQUESTED','ACCEPTED','REJECTED','CANCELLED','COMPLETED','EXPIRED')", name="status"
        ),
        CheckConstraint("buyer_id <> seller_id", name="two_people"),
        Index("uq_reservations_accepted", "listing_id", unique=True, postgresql_where=text("status = 'ACCEPTED'")),
        Index("uq_reservations_open", "listing_id", "buyer_id", unique=True, postgresql_where=text(OPEN)),
        Index(None, "listing_id"),
        Index(None, "buyer_id", text("id DESC")),
        Index(None, "seller_id", text("id DESC")),
        Index(None, "chat_id"),
        Index(None, "order_id"),
        Index(None, "updated_at"),
        Index("ix_reservations_expiring", "expires_at", postgresql_where=text(OPEN)),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    listing_id: Mapped[UUID] = mapped_column(ForeignKey("listings.id", ondelete="RESTRICT"))
    buyer_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    seller_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    chat_id: Mapped[UUID] = mapped_column(ForeignKey("chats.id", ondelete="RESTRICT"))
    status: Mapped[str] = mapped_column(Text, server_default="REQUESTED")
    message: Mapped[str | None] = mapped_column(Text)
    ended_because: Mapped[str | None] = mapped_column(Text)
    """Why the clock, the listing or staff ended it; null when one of the two did."""
    order_id: Mapped[UUID | None] = mapped_column(ForeignKey("orders.id", ondelete="RESTRICT", use_alter=True))
    """The order that was made of it. While it is ACCEPTED, that order has its hold."""
    version: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    expires_at: Mapped[RequiredTimestamp]
    """When the request lapses, and once accepted, when the hold does."""
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    accepted_at: Mapped[OptionalTimestamp]
