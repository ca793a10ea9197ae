"""Who likes what."""

from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from memi.platform.column_types import CreatedAt
from memi.platform.database import Base


class Favorite(Base):
    __tablename__ = "favorites"
    __table_args__ = (
        Index(None, "listing_id", "user_id"),
        Index(None, "user_id", text("created_at DESC"), text("listing_id DESC")),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    listing_id: Mapped[UUID] = mapped_column(ForeignKey("listings.id", ondelete="CASCADE"), primary_key=True)
    created_at: Mapped[CreatedAt]
