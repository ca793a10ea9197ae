"""Impersonations: who of staff acted in whose place, why, and from when until when."""

import sqlalchemy as sa
from alembic import op

revision = "0025_impersonations"
down_revision = "0024_analytics"


def upgrade() -> None:
    op.create_table(
        "impersonations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("admin_id", sa.Uuid(), nullable=False),
        sa.Column("admin_session_id", sa.Uuid()),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("chats", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("ended_because", sa.Text()),
        sa.CheckConstraint("user_id <> admin_id", name=op.f("ck_impersonations_not_oneself")),
        sa.CheckConstraint("num_nonnulls(ended_at, ended_because) <> 1", name=op.f("ck_impersonations_ended_whole")),
        sa.CheckConstraint("expires_at <= created_at + interval '15 minutes'", name=op.f("ck_impersonations_short")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_impersonations_user_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["admin_id"], ["users.id"], name=op.f("fk_impersonations_admin_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["admin_session_id"],
            ["auth_sessions.id"],
            name=op.f("fk_impersonations_admin_session_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_impersonations")),
    )
    op.create_index(op.f("ix_impersonations_user_id"), "impersonations", ["user_id"])
    op.create_index(op.f("ix_impersonations_admin_id"), "impersonations", ["admin_id"])
    op.create_index(op.f("ix_impersonations_admin_session_id"), "impersonations", ["admin_session_id"])
    op.create_index(
        "ix_impersonations_newest",
        "impersonations",
        [sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
    )
    op.create_index(
        "ix_impersonations_open",
        "impersonations",
        ["created_at", "id"],
        postgresql_where=sa.text("ended_at IS NULL"),
    )
