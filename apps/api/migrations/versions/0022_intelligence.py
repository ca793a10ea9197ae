"""What plug-ins said, flags on messages, and finding what is comparable to a listing."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0022_intelligence"
down_revision = "0021_audit_chain"


def upgrade() -> None:
    _verdicts()
    _message_flags()
    op.create_index(
        "uq_listing_flags_of_plugins",
        "listing_flags",
        ["listing_id", "kind"],
        unique=True,
        postgresql_where=sa.text("source = 'PLUGIN' AND resolved_at IS NULL"),
    )
    op.drop_index(op.f("ix_listings_category_id"), table_name="listings")
    op.create_index(op.f("ix_listings_category_id"), "listings", ["category_id", sa.literal_column("id DESC")])


def _verdicts() -> None:
    table = "intelligence_verdicts"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("port", sa.Text(), nullable=False),
        sa.Column("plugin", sa.Text(), nullable=False),
        sa.Column("plugin_version", sa.Text(), nullable=False),
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid()),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("verdict", postgresql.JSONB()),
        sa.Column("took_ms", sa.Float(), nullable=False),
        sa.CheckConstraint(
            "subject_type IN ('LISTING','UPLOAD','MESSAGE','USER')", name=op.f("ck_intelligence_verdicts_subject_type")
        ),
        sa.CheckConstraint(
            "outcome IN ('OK','TIMEOUT','ERROR','SKIPPED')", name=op.f("ck_intelligence_verdicts_outcome")
        ),
        sa.CheckConstraint(
            "outcome = 'OK' OR verdict IS NULL", name=op.f("ck_intelligence_verdicts_only_answers_have_a_verdict")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_intelligence_verdicts_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intelligence_verdicts")),
    )
    op.create_index(
        op.f("ix_intelligence_verdicts_subject_id_port"), table, ["subject_id", "port", sa.literal_column("id DESC")]
    )
    op.create_index(op.f("ix_intelligence_verdicts_user_id"), table, ["user_id", sa.literal_column("id DESC")])
    op.create_index(op.f("ix_intelligence_verdicts_at"), table, ["at"])


def _message_flags() -> None:
    table = "message_flags"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("note", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("source IN ('RULE','PLUGIN')", name=op.f("ck_message_flags_source")),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_message_flags_message_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message_flags")),
    )
    op.create_index("uq_message_flags_message_id", table, ["message_id", "kind", "source"], unique=True)
    op.create_index("ix_message_flags_queue", table, ["id"], postgresql_where=sa.text("resolved_at IS NULL"))
