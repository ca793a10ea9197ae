"""Tables of people."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from memi.platform.column_types import CreatedAt, OptionalTimestamp
from memi.platform.database import Base
from memi.platform.ids import new_id

DELETED_NAME = "Deleted user"


class User(Base):
    """An account. `epoch` rises when every session must end; `version` with each change people can see.

    Deleted, it can be had back until `erase_after`; then what is personal is erased and the row stays, nameless.
    """

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("email = lower(email)", name="email_lower"),
        CheckConstraint("cardinality(roles) > 0", name="has_role"),
        Index("uq_users_email", "email", unique=True),
        CheckConstraint(
            "(erase_after IS NULL AND erased_at IS NULL) OR deleted_at IS NOT NULL", name="erased_is_deleted"
        ),
        CheckConstraint(
            "erased_at IS NULL OR (email LIKE 'deleted-%@deleted.invalid' AND password_hash IS NULL AND bio IS NULL "
            "AND avatar_upload_id IS NULL AND avatar_url IS NULL AND city IS NULL AND phone IS NULL)",
            name="erased_is_nameless",
        ),
        Index(None, "city"),
        # Staff ask for these, who are few among many.
        Index(None, "roles", postgresql_using="gin"),
        Index("ix_users_blocked", "id", postgresql_where="is_blocked"),
        Index("ix_users_deleted", "id", postgresql_where="deleted_at IS NOT NULL"),
        Index("ix_users_to_erase", "erase_after", postgresql_where="erase_after IS NOT NULL AND erased_at IS NULL"),
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
    show_city: Mapped[bool] = mapped_column(server_default=text("true"))
    show_phone: Mapped[bool] = mapped_column(server_default=text("false"))
    show_last_seen: Mapped[bool] = mapped_column(server_default=text("true"))
    searchable: Mapped[bool] = mapped_column(server_default=text("true"))
    email_verified_at: Mapped[OptionalTimestamp]
    email_refused_at: Mapped[OptionalTimestamp]
    """When a mail server refused the address for good; until it is proved again no news are mailed to it."""
    last_seen_at: Mapped[OptionalTimestamp]
    created_at: Mapped[CreatedAt]
    deleted_at: Mapped[OptionalTimestamp]
    erase_after: Mapped[OptionalTimestamp]
    erased_at: Mapped[OptionalTimestamp]

    @property
    def shown_name(self) -> str:
        """The name others see beside what the person left: a deleted account has none, also while it can come back."""
        return self.name if self.deleted_at is None else DELETED_NAME

    @property
    def shown_avatar_url(self) -> str | None:
        return self.avatar_url if self.deleted_at is None else None


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


class UserAddress(Base):
    """A place to send things to. One of a person's is the default."""

    __tablename__ = "user_addresses"
    __table_args__ = (
        Index(None, "user_id"),
        Index("uq_user_addresses_default", "user_id", unique=True, postgresql_where="is_default"),
        Index(None, "city"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    label: Mapped[str | None] = mapped_column(Text)
    recipient: Mapped[str] = mapped_column(Text)
    phone: Mapped[str | None] = mapped_column(Text)
    line1: Mapped[str] = mapped_column(Text)
    line2: Mapped[str | None] = mapped_column(Text)
    city: Mapped[str] = mapped_column(ForeignKey("cities.code"))
    postal_code: Mapped[str | None] = mapped_column(Text)
    is_default: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[CreatedAt]


class UserBlock(Base):
    """One person wants nothing to do with another; it holds in both directions."""

    __tablename__ = "user_blocks"
    __table_args__ = (CheckConstraint("blocker_id <> blocked_id", name="not_oneself"), Index(None, "blocked_id"))

    blocker_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    blocked_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    created_at: Mapped[CreatedAt]
