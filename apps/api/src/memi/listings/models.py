"""Tables of listings: the item, its pictures, its counters, its one hold, its flags."""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Float, ForeignKey, Index, Integer, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from memi.platform.column_types import CreatedAt, OptionalTimestamp
from memi.platform.database import Base
from memi.platform.ids import new_id

STATUSES = ("DRAFT", "ACTIVE", "RESERVED", "SOLD", "EXPIRED", "DELETED", "REMOVED")
_IN_STATUSES = f"status IN ({', '.join(repr(status) for status in STATUSES)})"


class Listing(Base):
    """One item for sale. Money in minor units; coordinates are stored rounded."""

    __tablename__ = "listings"
    __table_args__ = (
        CheckConstraint(_IN_STATUSES, name="status"),
        CheckConstraint("price_amount IS NULL OR price_amount > 0", name="price_positive"),
        CheckConstraint(
            "status NOT IN ('ACTIVE','RESERVED','SOLD') OR (price_amount IS NOT NULL AND condition IS NOT NULL "
            "AND category_id IS NOT NULL AND published_at IS NOT NULL)",
            name="published_is_whole",
        ),
        CheckConstraint("(status = 'SOLD') = (sold_at IS NOT NULL) OR status = 'REMOVED'", name="sold_has_time"),
        CheckConstraint("(previous_status IS NOT NULL) = (status IN ('REMOVED','DELETED'))", name="previous_status"),
        CheckConstraint(
            "purged_at IS NULL OR (status = 'DELETED' AND description = '' AND attributes = '{}' "
            "AND num_nonnulls(condition, size, color, brand, brand_slug, material, city, lat, lon) = 0)",
            name="purged_is_bare",
        ),
        Index(None, "seller_id", "status", text("id DESC")),
        Index(None, "category_id", text("id DESC")),
        Index(None, "condition"),
        Index(None, "size"),
        Index(None, "color"),
        Index(None, "brand_slug"),
        Index(None, "material"),
        Index(None, "city"),
        # Staff ask for these, who are few among many.
        Index("ix_listings_down", "status", text("id DESC"), postgresql_where=text("status IN ('REMOVED','DELETED')")),
        Index(
            "ix_listings_purgeable",
            "deleted_at",
            postgresql_where=text("status = 'DELETED' AND purged_at IS NULL"),
        ),
        Index("ix_listings_expiring", "expires_at", postgresql_where=text("status = 'ACTIVE'")),
    )

    # Times are set by the database's clock and read back with the statement that sets them.
    __mapper_args__ = {"eager_defaults": True}  # noqa: RUF012  # declared so by SQLAlchemy

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    seller_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    title: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text, server_default="")
    price_amount: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(Text)
    condition: Mapped[str | None] = mapped_column(ForeignKey("conditions.code"))
    category_id: Mapped[UUID | None] = mapped_column(ForeignKey("categories.id", ondelete="RESTRICT"))
    attributes: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    size: Mapped[str | None] = mapped_column(ForeignKey("sizes.code"))
    color: Mapped[str | None] = mapped_column(ForeignKey("colors.code"))
    brand: Mapped[str | None] = mapped_column(Text)
    brand_slug: Mapped[str | None] = mapped_column(ForeignKey("brands.slug"))
    material: Mapped[str | None] = mapped_column(ForeignKey("materials.code"))
    city: Mapped[str | None] = mapped_column(ForeignKey("cities.code"))
    lat: Mapped[float | None] = mapped_column(Float)
    lon: Mapped[float | None] = mapped_column(Float)
    status: Mapped[str] = mapped_column(Text, server_default="DRAFT")
    previous_status: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    created_at: Mapped[CreatedAt]
    published_at: Mapped[OptionalTimestamp]
    expires_at: Mapped[OptionalTimestamp]
    expiry_notice_at: Mapped[OptionalTimestamp]
    sold_at: Mapped[OptionalTimestamp]
    deleted_at: Mapped[OptionalTimestamp]
    purged_at: Mapped[OptionalTimestamp]
    """Since when only a stub is left of it, for good."""


class ListingImage(Base):
    __tablename__ = "listing_images"
    __table_args__ = (
        CheckConstraint("position BETWEEN 0 AND 7", name="at_most_8"),
        Index("uq_listing_images_listing_id_upload_id", "listing_id", "upload_id", unique=True),
        Index(None, "upload_id"),
    )

    listing_id: Mapped[UUID] = mapped_column(ForeignKey("listings.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    upload_id: Mapped[UUID] = mapped_column(ForeignKey("uploads.id", ondelete="RESTRICT"))
    alt: Mapped[str | None] = mapped_column(Text)


class ListingCounters(Base):
    """Numbers that change often, apart from the listing, so that counting never touches its version."""

    __tablename__ = "listing_counters"
    __table_args__ = (CheckConstraint("favorite_count >= 0 AND view_count >= 0", name="not_negative"),)

    listing_id: Mapped[UUID] = mapped_column(ForeignKey("listings.id", ondelete="CASCADE"), primary_key=True)
    favorite_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    view_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))


class ListingHold(Base):
    """The one hold an item can have. A listing is RESERVED exactly while it has one."""

    __tablename__ = "listing_holds"
    __table_args__ = (
        CheckConstraint("kind IN ('MANUAL','RESERVATION','ORDER')", name="kind"),
        CheckConstraint("(kind = 'MANUAL') = (reference_id IS NULL)", name="reference"),
        Index(None, "holder_id"),
        Index("ix_listing_holds_expires_at", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
    )

    listing_id: Mapped[UUID] = mapped_column(ForeignKey("listings.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    holder_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    reference_id: Mapped[UUID | None]
    expires_at: Mapped[OptionalTimestamp]
    created_at: Mapped[CreatedAt]


class ListingFlag(Base):
    """Something for a moderator to look at."""

    __tablename__ = "listing_flags"
    __table_args__ = (
        CheckConstraint("source IN ('USER','RULE','PLUGIN')", name="source"),
        Index(None, "listing_id"),
        Index(
            "ix_listing_flags_noted",
            "resolved_at",
            postgresql_where=text("resolved_at IS NOT NULL AND note IS NOT NULL"),
        ),
        Index("ix_listing_flags_open", "kind", "created_at", postgresql_where=text("resolved_at IS NULL")),
        Index(
            "uq_listing_flags_of_plugins",
            "listing_id",
            "kind",
            unique=True,
            postgresql_where=text("source = 'PLUGIN' AND resolved_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    listing_id: Mapped[UUID] = mapped_column(ForeignKey("listings.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedAt]
    resolved_at: Mapped[OptionalTimestamp]
