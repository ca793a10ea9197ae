"""Tables of people."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from memi.platform.column_types import CreatedAt, OptionalTimestamp
from memi.platform.database import Base
from memi.platform.ids import new_id


class User(Base):
    """An account. `epoch` rises when every session must end; `version` with each change people can see."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("email = lower(email)", name="email_lower"),
        CheckConstraint("cardinality(roles) > 0", name="has_role"),
        Index("uq_users_email", "email", unique=True),
        Index(None, "city"),
        Index(None, "avatar_upload_id"),
        # Staff look people up by a part of the address or name.
        Index(
            "ix_users_words",
            "email",
            "name",
            postgresql_using="gin",
            postgresql_ops={"email": "gin_trgm_ops", "name": "gin_trgm_ops"},
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    email: Mapped[str] = mapped_column(Text)
    password_hash: Mapped[str | None] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    bio: Mapped[str | None] = mapped_column(Text)
    avatar_upload_id: Mapped[UUID | None] = mapped_column(ForeignKey("uploads.id", ondelete="SET NULL"))
    avatar_url: Mapped[str | None] = mapped_column(Text)
    city: Mapped[str | None] = mapped_column(ForeignKey("cities.code"))
    phone: Mapped[str | None] = mapped_column(Text)
    locale: Mapped[str] = mapped_column(Text, server_default="az")
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{USER}'"))
    is_blocked: Mapped[bool] = mapped_column(server_default=text("false"))
    epoch: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    version: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    email_verified_at: Mapped[OptionalTimestamp]
    created_at: Mapped[CreatedAt]
    deleted_at: Mapped[OptionalTimestamp]


class SellerStats(Base):
    """Numbers shown on a public profile, written down by the features that know them."""

    __tablename__ = "seller_stats"
    __table_args__ = (
        CheckConstraint("active_listing_count >= 0", name="active_not_negative"),
        CheckConstraint("sold_count >= 0", name="sold_not_negative"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    active_listing_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    sold_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    reply_minutes: Mapped[int | None] = mapped_column(SmallInteger)
