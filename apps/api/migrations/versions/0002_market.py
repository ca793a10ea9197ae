"""Tables of sessions, listings, notifications and the audit log."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002_market"
down_revision = "0002_foundations"


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("actor_id", sa.Uuid()),
        sa.Column("impersonator_id", sa.Uuid()),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target_type", sa.Text(), nullable=False),
        sa.Column("target_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("before", postgresql.JSONB()),
        sa.Column("after", postgresql.JSONB()),
        sa.ForeignKeyConstraint(["actor_id"], ["users.id"], name=op.f("fk_audit_log_actor_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(
            ["impersonator_id"], ["users.id"], name=op.f("fk_audit_log_impersonator_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_index(op.f("ix_audit_log_"), "audit_log", [sa.literal_column("at DESC"), sa.literal_column("id DESC")])
    op.create_index(op.f("ix_audit_log_actor_id"), "audit_log", ["actor_id"])
    op.create_index(op.f("ix_audit_log_impersonator_id"), "audit_log", ["impersonator_id"])
    op.create_index(op.f("ix_audit_log_target_type_target_id"), "audit_log", ["target_type", "target_id"])
    op.create_table(
        "auth_sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("user_agent", sa.Text()),
        sa.Column("ip", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.Column("revoked_because", sa.Text()),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_auth_sessions_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_auth_sessions")),
    )
    op.create_index(op.f("ix_auth_sessions_user_id"), "auth_sessions", ["user_id"])
    op.create_table(
        "listings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("seller_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("price_amount", sa.BigInteger()),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("condition", sa.Text()),
        sa.Column("category_id", sa.Uuid()),
        sa.Column("attributes", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("size", sa.Text()),
        sa.Column("color", sa.Text()),
        sa.Column("brand", sa.Text()),
        sa.Column("brand_slug", sa.Text()),
        sa.Column("material", sa.Text()),
        sa.Column("city", sa.Text()),
        sa.Column("lat", sa.Float()),
        sa.Column("lon", sa.Float()),
        sa.Column("status", sa.Text(), server_default="DRAFT", nullable=False),
        sa.Column("previous_status", sa.Text()),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True)),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("expiry_notice_at", sa.DateTime(timezone=True)),
        sa.Column("sold_at", sa.DateTime(timezone=True)),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint(
            "(previous_status IS NOT NULL) = (status IN ('REMOVED','DELETED'))",
            name=op.f("ck_listings_previous_status"),
        ),
        sa.CheckConstraint(
            "(status = 'SOLD') = (sold_at IS NOT NULL) OR status = 'REMOVED'", name=op.f("ck_listings_sold_has_time")
        ),
        sa.CheckConstraint(
            "status IN ('DRAFT', 'ACTIVE', 'RESERVED', 'SOLD', 'EXPIRED', 'DELETED', 'REMOVED')",
            name=op.f("ck_listings_status"),
        ),
        sa.CheckConstraint(
            "status NOT IN ('ACTIVE','RESERVED','SOLD') OR (price_amount IS NOT NULL AND condition IS NOT NULL "
            "AND category_id IS NOT NULL AND published_at IS NOT NULL)",
            name=op.f("ck_listings_published_is_whole"),
        ),
        sa.CheckConstraint("price_amount IS NULL OR price_amount > 0", name=op.f("ck_listings_price_positive")),
        sa.ForeignKeyConstraint(["brand_slug"], ["brands.slug"], name=op.f("fk_listings_brand_slug")),
        sa.ForeignKeyConstraint(
            ["category_id"], ["categories.id"], name=op.f("fk_listings_category_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["city"], ["cities.code"], name=op.f("fk_listings_city")),
        sa.ForeignKeyConstraint(["color"], ["colors.code"], name=op.f("fk_listings_color")),
        sa.ForeignKeyConstraint(["condition"], ["conditions.code"], name=op.f("fk_listings_condition")),
        sa.ForeignKeyConstraint(["material"], ["materials.code"], name=op.f("fk_listings_material")),
        sa.ForeignKeyConstraint(["seller_id"], ["users.id"], name=op.f("fk_listings_seller_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(["size"], ["sizes.code"], name=op.f("fk_listings_size")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listings")),
    )
    op.create_index(op.f("ix_listings_brand_slug"), "listings", ["brand_slug"])
    op.create_index(op.f("ix_listings_category_id"), "listings", ["category_id"])
    op.create_index(op.f("ix_listings_city"), "listings", ["city"])
    op.create_index(op.f("ix_listings_color"), "listings", ["color"])
    op.create_index(op.f("ix_listings_condition"), "listings", ["condition"])
    op.create_index("ix_listings_expiring", "listings", ["expires_at"], postgresql_where=sa.text("status = 'ACTIVE'"))
    op.create_index(op.f("ix_listings_material"), "listings", ["material"])
    op.create_index(
        op.f("ix_listings_seller_id_status"), "listings", ["seller_id", "status", sa.literal_column("id DESC")]
    )
    op.create_index(op.f("ix_listings_size"), "listings", ["size"])
    op.create_table(
        "notifications",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        sa.Column("dedupe_key", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint(
            "type IN ('MESSAGE','RESERVATION','ORDER','LISTING','MODERATION','GENERIC')",
            name=op.f("ck_notifications_type"),
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_notifications_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
    )
    op.create_index("ix_notifications_created_at", "notifications", ["created_at"])
    op.create_index(
        "ix_notifications_unread",
        "notifications",
        ["user_id", sa.literal_column("id DESC")],
        postgresql_where=sa.text("read_at IS NULL"),
    )
    op.create_index(op.f("ix_notifications_user_id"), "notifications", ["user_id", sa.literal_column("id DESC")])
    op.create_index("uq_notifications_user_id_dedupe_key", "notifications", ["user_id", "dedupe_key"], unique=True)
    op.create_table(
        "seller_stats",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("active_listing_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("sold_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("reply_minutes", sa.SmallInteger()),
        sa.CheckConstraint("active_listing_count >= 0", name=op.f("ck_seller_stats_active_not_negative")),
        sa.CheckConstraint("sold_count >= 0", name=op.f("ck_seller_stats_sold_not_negative")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_seller_stats_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_seller_stats")),
    )
