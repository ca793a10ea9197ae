"""Tables of chats, messages, favourites, deals, search, and what hangs from a listing."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002_trade"
down_revision = "0002_market"


def upgrade() -> None:
    op.create_table(
        "chats",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("buyer_id", sa.Uuid(), nullable=False),
        sa.Column("seller_id", sa.Uuid(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_message_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("buyer_read_seq", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("seller_read_seq", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("buyer_archived_at", sa.DateTime(timezone=True)),
        sa.Column("seller_archived_at", sa.DateTime(timezone=True)),
        sa.Column("buyer_blocked_at", sa.DateTime(timezone=True)),
        sa.Column("seller_blocked_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("buyer_id <> seller_id", name=op.f("ck_chats_two_people")),
        sa.CheckConstraint(
            "buyer_read_seq <= last_seq AND seller_read_seq <= last_seq", name=op.f("ck_chats_read_within")
        ),
        sa.ForeignKeyConstraint(["buyer_id"], ["users.id"], name=op.f("fk_chats_buyer_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(["listing_id"], ["listings.id"], name=op.f("fk_chats_listing_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(["seller_id"], ["users.id"], name=op.f("fk_chats_seller_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chats")),
    )
    op.create_index(
        op.f("ix_chats_buyer_id"),
        "chats",
        ["buyer_id", sa.literal_column("last_message_at DESC"), sa.literal_column("id DESC")],
    )
    op.create_index("ix_chats_last_message_at", "chats", ["last_message_at"])
    op.create_index(
        op.f("ix_chats_seller_id"),
        "chats",
        ["seller_id", sa.literal_column("last_message_at DESC"), sa.literal_column("id DESC")],
    )
    op.create_index("uq_chats_listing_id_buyer_id", "chats", ["listing_id", "buyer_id"], unique=True)
    op.create_table(
        "favorites",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["listing_id"], ["listings.id"], name=op.f("fk_favorites_listing_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_favorites_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "listing_id", name=op.f("pk_favorites")),
    )
    op.create_index(op.f("ix_favorites_listing_id_user_id"), "favorites", ["listing_id", "user_id"])
    op.create_index(
        op.f("ix_favorites_user_id"),
        "favorites",
        ["user_id", sa.literal_column("created_at DESC"), sa.literal_column("listing_id DESC")],
    )
    op.create_table(
        "listing_cards",
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("seller_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("visible", sa.Boolean(), nullable=False),
        sa.Column("browsable", sa.Boolean(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("section", sa.Text()),
        sa.Column("brand", sa.Text()),
        sa.Column("lat", sa.Float()),
        sa.Column("lon", sa.Float()),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("document", postgresql.TSVECTOR(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("card", sa.LargeBinary(), nullable=False),
        sa.Column("page", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "NOT browsable OR (visible AND status <> 'SOLD')", name=op.f("ck_listing_cards_browsable_is_visible")
        ),
        sa.CheckConstraint("status IN ('ACTIVE','RESERVED','SOLD')", name=op.f("ck_listing_cards_status")),
        sa.ForeignKeyConstraint(
            ["listing_id"], ["listings.id"], name=op.f("fk_listing_cards_listing_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["seller_id"], ["users.id"], name=op.f("fk_listing_cards_seller_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("listing_id", name=op.f("pk_listing_cards")),
    )
    op.create_index(
        "ix_listing_cards_brand_newest",
        "listing_cards",
        ["brand", sa.literal_column("published_at DESC"), sa.literal_column("listing_id DESC")],
        postgresql_where=sa.text("browsable"),
    )
    op.create_index(
        "ix_listing_cards_document",
        "listing_cards",
        ["document"],
        postgresql_using="gin",
        postgresql_where=sa.text("browsable"),
    )
    op.create_index(
        "ix_listing_cards_newest",
        "listing_cards",
        [sa.literal_column("published_at DESC"), sa.literal_column("listing_id DESC")],
        postgresql_where=sa.text("browsable"),
    )
    op.create_index(
        "ix_listing_cards_price", "listing_cards", ["price", "listing_id"], postgresql_where=sa.text("browsable")
    )
    op.create_index(
        "ix_listing_cards_section_newest",
        "listing_cards",
        ["section", sa.literal_column("published_at DESC"), sa.literal_column("listing_id DESC")],
        postgresql_where=sa.text("browsable"),
    )
    op.create_index(
        "ix_listing_cards_section_price",
        "listing_cards",
        ["section", "price", "listing_id"],
        postgresql_where=sa.text("browsable"),
    )
    op.create_index(
        op.f("ix_listing_cards_seller_id"),
        "listing_cards",
        ["seller_id", sa.literal_column("published_at DESC"), sa.literal_column("listing_id DESC")],
    )
    op.create_index(
        "ix_listing_cards_tags",
        "listing_cards",
        ["tags"],
        postgresql_using="gin",
        postgresql_where=sa.text("browsable"),
    )
    op.create_table(
        "listing_counters",
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("favorite_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("view_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("favorite_count >= 0 AND view_count >= 0", name=op.f("ck_listing_counters_not_negative")),
        sa.ForeignKeyConstraint(
            ["listing_id"], ["listings.id"], name=op.f("fk_listing_counters_listing_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("listing_id", name=op.f("pk_listing_counters")),
    )
    op.create_table(
        "listing_flags",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("note", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("source IN ('USER','RULE','PLUGIN')", name=op.f("ck_listing_flags_source")),
        sa.ForeignKeyConstraint(
            ["listing_id"], ["listings.id"], name=op.f("fk_listing_flags_listing_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listing_flags")),
    )
    op.create_index(op.f("ix_listing_flags_listing_id"), "listing_flags", ["listing_id"])
    op.create_index(
        "ix_listing_flags_open",
        "listing_flags",
        ["kind", "created_at"],
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_table(
        "listing_holds",
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("holder_id", sa.Uuid()),
        sa.Column("reference_id", sa.Uuid()),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(kind = 'MANUAL') = (reference_id IS NULL)", name=op.f("ck_listing_holds_reference")),
        sa.CheckConstraint("kind IN ('MANUAL','RESERVATION','ORDER')", name=op.f("ck_listing_holds_kind")),
        sa.ForeignKeyConstraint(
            ["holder_id"], ["users.id"], name=op.f("fk_listing_holds_holder_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["listing_id"], ["listings.id"], name=op.f("fk_listing_holds_listing_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("listing_id", name=op.f("pk_listing_holds")),
    )
    op.create_index(
        "ix_listing_holds_expires_at",
        "listing_holds",
        ["expires_at"],
        postgresql_where=sa.text("expires_at IS NOT NULL"),
    )
    op.create_index(op.f("ix_listing_holds_holder_id"), "listing_holds", ["holder_id"])
    op.create_table(
        "listing_images",
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("upload_id", sa.Uuid(), nullable=False),
        sa.Column("alt", sa.Text()),
        sa.CheckConstraint("position BETWEEN 0 AND 7", name=op.f("ck_listing_images_at_most_8")),
        sa.ForeignKeyConstraint(
            ["listing_id"], ["listings.id"], name=op.f("fk_listing_images_listing_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["upload_id"], ["uploads.id"], name=op.f("fk_listing_images_upload_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("listing_id", "position", name=op.f("pk_listing_images")),
    )
    op.create_index(op.f("ix_listing_images_upload_id"), "listing_images", ["upload_id"])
    op.create_index(
        "uq_listing_images_listing_id_upload_id", "listing_images", ["listing_id", "upload_id"], unique=True
    )
    op.create_table(
        "refresh_tokens",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("siblings", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rotated_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("length(token_hash) = 32", name=op.f("ck_refresh_tokens_is_sha256")),
        sa.ForeignKeyConstraint(
            ["session_id"], ["auth_sessions.id"], name=op.f("fk_refresh_tokens_session_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refresh_tokens")),
    )
    op.create_index(op.f("ix_refresh_tokens_session_id"), "refresh_tokens", ["session_id"])
    op.create_index("uq_refresh_tokens_token_hash", "refresh_tokens", ["token_hash"], unique=True)
    op.create_table(
        "search_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("processed_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint(
            "kind IN ('listing.created','listing.updated','listing.deleted')", name=op.f("ck_search_events_kind")
        ),
        sa.ForeignKeyConstraint(
            ["listing_id"], ["listings.id"], name=op.f("fk_search_events_listing_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_events")),
    )
    op.create_index(op.f("ix_search_events_listing_id"), "search_events", ["listing_id"])
    op.create_index(
        "ix_search_events_processed_at",
        "search_events",
        ["processed_at"],
        postgresql_where=sa.text("processed_at IS NOT NULL"),
    )
    op.create_index(
        "ix_search_events_unprocessed", "search_events", ["id"], postgresql_where=sa.text("processed_at IS NULL")
    )
    op.create_table(
        "messages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("chat_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("sender_id", sa.Uuid()),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("upload_id", sa.Uuid()),
        sa.Column("client_id", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(kind = 'SYSTEM') = (sender_id IS NULL)", name=op.f("ck_messages_system_has_no_sender")),
        sa.CheckConstraint("kind IN ('TEXT','IMAGE','SYSTEM')", name=op.f("ck_messages_kind")),
        sa.CheckConstraint("char_length(body) BETWEEN 1 AND 4000", name=op.f("ck_messages_body_length")),
        sa.CheckConstraint("char_length(client_id) BETWEEN 1 AND 100", name=op.f("ck_messages_client_id_length")),
        sa.CheckConstraint("seq > 0", name=op.f("ck_messages_seq_from_1")),
        sa.ForeignKeyConstraint(["chat_id"], ["chats.id"], name=op.f("fk_messages_chat_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(["sender_id"], ["users.id"], name=op.f("fk_messages_sender_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(["upload_id"], ["uploads.id"], name=op.f("fk_messages_upload_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
    )
    op.create_index(op.f("ix_messages_sender_id"), "messages", ["sender_id"])
    op.create_index(op.f("ix_messages_upload_id"), "messages", ["upload_id"])
    op.create_index("uq_messages_chat_id_seq", "messages", ["chat_id", "seq"], unique=True)
    op.create_index(
        "uq_messages_client_id",
        "messages",
        ["chat_id", "sender_id", "client_id"],
        unique=True,
        postgresql_where=sa.text("client_id IS NOT NULL"),
    )
    op.create_table(
        "reservations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("buyer_id", sa.Uuid(), nullable=False),
        sa.Column("seller_id", sa.Uuid(), nullable=False),
        sa.Column("chat_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), server_default="REQUESTED", nullable=False),
        sa.Column("message", sa.Text()),
        sa.Column("ended_because", sa.Text()),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint(
            "status IN ('REQUESTED','ACCEPTED','REJECTED','CANCELLED','COMPLETED','EXPIRED')",
            name=op.f("ck_reservations_status"),
        ),
        sa.CheckConstraint("buyer_id <> seller_id", name=op.f("ck_reservations_two_people")),
        sa.ForeignKeyConstraint(["buyer_id"], ["users.id"], name=op.f("fk_reservations_buyer_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(["chat_id"], ["chats.id"], name=op.f("fk_reservations_chat_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(
            ["listing_id"], ["listings.id"], name=op.f("fk_reservations_listing_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["seller_id"], ["users.id"], name=op.f("fk_reservations_seller_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reservations")),
    )
    op.create_index(op.f("ix_reservations_buyer_id"), "reservations", ["buyer_id", sa.literal_column("id DESC")])
    op.create_index(op.f("ix_reservations_chat_id"), "reservations", ["chat_id"])
    op.create_index(
        "ix_reservations_expiring",
        "reservations",
        ["expires_at"],
        postgresql_where=sa.text("status IN ('REQUESTED','ACCEPTED')"),
    )
    op.create_index(op.f("ix_reservations_listing_id"), "reservations", ["listing_id"])
    op.create_index(op.f("ix_reservations_seller_id"), "reservations", ["seller_id", sa.literal_column("id DESC")])
    op.create_index(op.f("ix_reservations_updated_at"), "reservations", ["updated_at"])
    op.create_index(
        "uq_reservations_accepted",
        "reservations",
        ["listing_id"],
        unique=True,
        postgresql_where=sa.text("status = 'ACCEPTED'"),
    )
    op.create_index(
        "uq_reservations_open",
        "reservations",
        ["listing_id", "buyer_id"],
        unique=True,
        postgresql_where=sa.text("status IN ('REQUESTED','ACCEPTED')"),
    )
