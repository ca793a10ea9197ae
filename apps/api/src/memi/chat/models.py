"""Tables of chats. Messages lose their words at most; each chat numbers its own from 1 without gaps."""

from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from memi.platform.column_types import CreatedAt, OptionalTimestamp
from memi.platform.database import Base
from memi.platform.ids import new_id


class Chat(Base):
    """The one conversation of a buyer about a listing."""

    __tablename__ = "chats"
    __table_args__ = (
        CheckConstraint("buyer_id <> seller_id", name="two_people"),
        CheckConstraint("buyer_read_seq <= last_seq AND seller_read_seq <= last_seq", name="read_within"),
        Index("uq_chats_listing_id_buyer_id", "listing_id", "buyer_id", unique=True),
        Index(None, "buyer_id", text("last_message_at DESC"), text("id DESC")),
        Index(None, "seller_id", text("last_message_at DESC"), text("id DESC")),
        Index("ix_chats_last_message_at", "last_message_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    listing_id: Mapped[UUID] = mapped_column(ForeignKey("listings.id", ondelete="RESTRICT"))
    buyer_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    seller_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    last_seq: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    last_message_at: Mapped[CreatedAt]
    buyer_read_seq: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    seller_read_seq: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    buyer_archived_at: Mapped[OptionalTimestamp]
    seller_archived_at: Mapped[OptionalTimestamp]
    buyer_blocked_at: Mapped[OptionalTimestamp]
    """When the buyer blocked the other side in this chat."""
    seller_blocked_at: Mapped[OptionalTimestamp]
    seller_replied_at: Mapped[OptionalTimestamp]
    """When the seller first wrote; kept by a trigger."""
    closed_at: Mapped[OptionalTimestamp]
    """When a moderator closed it: nobody can send any more."""
    created_at: Mapped[CreatedAt]


class Message(Base):
    __tablename__ = "messages"
    __table_args__ = (
        CheckConstraint("kind IN ('TEXT','IMAGE','SYSTEM')", name="kind"),
        CheckConstraint("(kind = 'SYSTEM') = (sender_id IS NULL)", name="system_has_no_sender"),
        CheckConstraint("seq > 0", name="seq_from_1"),
        CheckConstraint(
            "char_length(body) <= 4000 AND (char_length(body) > 0) = (words_erased_at IS NULL)", name="body_length"
        ),
        CheckConstraint(
            "words_erased_at IS NULL OR (sender_id IS NOT NULL AND num_nonnulls(client_id, upload_id) = 0)",
            name="erased_is_wordless",
        ),
        CheckConstraint("char_length(client_id) BETWEEN 1 AND 100", name="client_id_length"),
        Index("uq_messages_chat_id_seq", "chat_id", "seq", unique=True),
        Index(
            "uq_messages_client_id",
            "chat_id",
            "sender_id",
            "client_id",
            unique=True,
            postgresql_where=text("client_id IS NOT NULL"),
        ),
        Index(None, "sender_id"),
        Index(None, "upload_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    chat_id: Mapped[UUID] = mapped_column(ForeignKey("chats.id", ondelete="RESTRICT"))
    seq: Mapped[int] = mapped_column(BigInteger)
    sender_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    kind: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    upload_id: Mapped[UUID | None] = mapped_column(ForeignKey("uploads.id", ondelete="RESTRICT"))
    client_id: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedAt]
    words_erased_at: Mapped[OptionalTimestamp]
    """When what a person said in it was erased, whose account had been: see docs/decisions/0053."""


class MessageFlag(Base):
    """Something about a message for moderators to look at. Until they did, the chat's words are not erased."""

    __tablename__ = "message_flags"
    __table_args__ = (
        CheckConstraint("source IN ('RULE','PLUGIN')", name="source"),
        Index("uq_message_flags_message_id", "message_id", "kind", "source", unique=True),
        Index(None, "chat_id"),
        Index("ix_message_flags_queue", "id", postgresql_where=text("resolved_at IS NULL")),
        Index(
            "ix_message_flags_noted",
            "resolved_at",
            postgresql_where=text("resolved_at IS NOT NULL AND note IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    message_id: Mapped[UUID] = mapped_column(ForeignKey("messages.id", ondelete="RESTRICT"))
    chat_id: Mapped[UUID] = mapped_column(ForeignKey("chats.id", ondelete="RESTRICT"))
    """The message's; the database fills it in."""
    kind: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedAt]
    resolved_at: Mapped[OptionalTimestamp]
