"""Tables of the queue, the catalogue, uploads and people."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002_foundations"
down_revision = "0001_platform"


def upgrade() -> None:
    op.create_table(
        "brands",
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("folded", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_brands")),
    )
    op.create_table(
        "categories",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.Uuid()),
        sa.Column("name", postgresql.JSONB(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("image_url", sa.Text()),
        sa.Column("size_group", sa.Text()),
        sa.Column("attributes", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.CheckConstraint("parent_id <> id", name=op.f("ck_categories_not_own_parent")),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["categories.id"], name=op.f("fk_categories_parent_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_categories")),
    )
    op.create_index(op.f("ix_categories_parent_id"), "categories", ["parent_id"])
    op.create_index("uq_categories_slug", "categories", ["slug"], unique=True)
    op.create_table(
        "cities",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", postgresql.JSONB(), nullable=False),
        sa.Column("lat", sa.Float(), nullable=False),
        sa.Column("lon", sa.Float(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_cities")),
    )
    op.create_table(
        "colors",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", postgresql.JSONB(), nullable=False),
        sa.Column("hex", sa.Text()),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_colors")),
    )
    op.create_table(
        "conditions",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", postgresql.JSONB(), nullable=False),
        sa.Column("description", postgresql.JSONB(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_conditions")),
    )
    op.create_table(
        "dead_jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("died_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_jobs")),
    )
    op.create_table(
        "job_attempts",
        sa.Column("job_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_job_attempts")),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "job_receipts",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("event_id", "name", name=op.f("pk_job_receipts")),
    )
    op.create_index(op.f("ix_job_receipts_done_at"), "job_receipts", ["done_at"])
    op.create_table(
        "job_schedules",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("next_run", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_job_schedules")),
    )
    op.create_table(
        "materials",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", postgresql.JSONB(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_materials")),
    )
    op.create_table(
        "reference_state",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_reference_state")),
    )
    op.create_table(
        "search_words",
        sa.Column("word", sa.Text(), nullable=False),
        sa.Column("variants", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("word", name=op.f("pk_search_words")),
    )
    op.create_index(
        "ix_search_words_similar",
        "search_words",
        ["word"],
        postgresql_using="gin",
        postgresql_ops={"word": "gin_trgm_ops"},
    )
    op.create_index("ix_search_words_variants", "search_words", ["variants"], postgresql_using="gin")
    op.create_table(
        "sizes",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", postgresql.JSONB(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("groups", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("conversions", postgresql.JSONB(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_sizes")),
    )
    op.create_table(
        "uploads",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text()),
        sa.Column("status", sa.Text(), server_default="PENDING", nullable=False),
        sa.Column("rejection_code", sa.Text()),
        sa.Column("incoming_key", sa.Text(), nullable=False),
        sa.Column("original_key", sa.Text(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("pending_keys", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("width", sa.Integer()),
        sa.Column("height", sa.Integer()),
        sa.Column("blurhash", sa.Text()),
        sa.Column("phash", sa.BigInteger()),
        sa.Column("renditions", postgresql.JSONB()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("unclaimed_since", sa.DateTime(timezone=True), server_default=sa.text("now()")),
        sa.Column("url_expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint(
            "(status = 'REJECTED') = (rejection_code IS NOT NULL)", name=op.f("ck_uploads_rejected_has_code")
        ),
        sa.CheckConstraint(
            "status <> 'READY' OR (renditions IS NOT NULL AND blurhash IS NOT NULL)",
            name=op.f("ck_uploads_ready_is_whole"),
        ),
        sa.CheckConstraint(
            "status IN ('PENDING','UPLOADED','PROCESSING','READY','REJECTED')", name=op.f("ck_uploads_status")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
    )
    op.create_index(op.f("ix_uploads_owner_id"), "uploads", ["owner_id"])
    op.create_index(
        "ix_uploads_stalled", "uploads", ["moved_at"], postgresql_where="status IN ('UPLOADED','PROCESSING')"
    )
    op.create_index(
        "ix_uploads_unclaimed", "uploads", ["unclaimed_since"], postgresql_where="unclaimed_since IS NOT NULL"
    )
    op.create_table(
        "upload_claims",
        sa.Column("upload_id", sa.Uuid(), nullable=False),
        sa.Column("claimant", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["upload_id"], ["uploads.id"], name=op.f("fk_upload_claims_upload_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("upload_id", "claimant", name=op.f("pk_upload_claims")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text()),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("bio", sa.Text()),
        sa.Column("avatar_upload_id", sa.Uuid()),
        sa.Column("avatar_url", sa.Text()),
        sa.Column("city", sa.Text()),
        sa.Column("phone", sa.Text()),
        sa.Column("locale", sa.Text(), server_default="az", nullable=False),
        sa.Column("roles", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{USER}'"), nullable=False),
        sa.Column("is_blocked", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("epoch", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("email_verified_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("cardinality(roles) > 0", name=op.f("ck_users_has_role")),
        sa.CheckConstraint("email = lower(email)", name=op.f("ck_users_email_lower")),
        sa.ForeignKeyConstraint(
            ["avatar_upload_id"], ["uploads.id"], name=op.f("fk_users_avatar_upload_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["city"], ["cities.code"], name=op.f("fk_users_city")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )
    op.create_index(op.f("ix_users_avatar_upload_id"), "users", ["avatar_upload_id"])
    op.create_index(op.f("ix_users_city"), "users", ["city"])
    op.create_index(
        "ix_users_words",
        "users",
        ["email", "name"],
        postgresql_using="gin",
        postgresql_ops={"email": "gin_trgm_ops", "name": "gin_trgm_ops"},
    )
    op.create_index("uq_users_email", "users", ["email"], unique=True)
    # Two tables that point at each other: this key waits for the second of them.
    op.create_foreign_key("fk_uploads_owner_id", "uploads", "users", ["owner_id"], ["id"], ondelete="CASCADE")
