"""The read model of browsing: one row per listing that browse shows, and the events a search engine consumes."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from memi.platform.column_types import CreatedAt, OptionalTimestamp
from memi.platform.database import Base


class ListingCard(Base):
    """Filter and sort columns, the folded text, and the finished JSON of card and page (bytes, UTF-8)."""

    __tablename__ = "listing_cards"

    listing_id: Mapped[UUID] = mapped_column(ForeignKey("listings.id", ondelete="CASCADE"), primary_key=True)
    seller_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    status: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(Integer)
    browsable: Mapped[bool]
    """ACTIVE or RESERVED and the seller stands: shown by browse and search. SOLD is kept for reads by id."""
    published_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    price: Mapped[int] = mapped_column(BigInteger)
    condition: Mapped[str] = mapped_column(Text)
    categories: Mapped[list[str]] = mapped_column(ARRAY(Text))
    """Slugs of the category and all above it."""
    size: Mapped[str | None] = mapped_column(Text)
    color: Mapped[str | None] = mapped_column(Text)
    brand: Mapped[str | None] = mapped_column(Text)
    """Slug of the known brand, else the folded text."""
    material: Mapped[str | None] = mapped_column(Text)
    city: Mapped[str | None] = mapped_column(Text)
    lat: Mapped[float | None] = mapped_column(Float)
    lon: Mapped[float | None] = mapped_column(Float)
    attributes: Mapped[dict[str, object]] = mapped_column(JSONB, server_default=text("'{}'"))
    document: Mapped[str] = mapped_column(TSVECTOR)
    words: Mapped[str] = mapped_column(Text)
    """Folded title, brand and category for trigram matching."""
    card: Mapped[bytes] = mapped_column(LargeBinary)
    page: Mapped[bytes] = mapped_column(LargeBinary)


class SearchEvent(Base):
    """A change of a listing, written with it, for whatever index is kept elsewhere."""

    __tablename__ = "search_events"
    __table_args__ = (
        CheckConstraint("kind IN ('listing.created','listing.updated','listing.deleted')", name="kind"),
        Index("ix_search_events_unprocessed", "id", postgresql_where=text("processed_at IS NULL")),
        Index(None, "listing_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    listing_id: Mapped[UUID] = mapped_column(ForeignKey("listings.id", ondelete="CASCADE"))
    version: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[CreatedAt]
    processed_at: Mapped[OptionalTimestamp]
