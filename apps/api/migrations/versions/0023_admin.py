"""What running the place needs: finding people, editing the tree of categories, and rebuilding what searches read."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023_admin"
down_revision = "0022_intelligence"

_UNFINISHED = sa.text("finished_at IS NULL")
_NOW = sa.text("now()")


def upgrade() -> None:
    op.create_index(op.f("ix_users_roles"), "users", ["roles"], postgresql_using="gin")
    op.create_index("ix_users_blocked", "users", ["id"], postgresql_where=sa.text("is_blocked"))
    op.create_index("ix_users_deleted", "users", ["id"], postgresql_where=sa.text("deleted_at IS NOT NULL"))
    op.create_index("ix_dead_jobs_newest", "dead_jobs", [sa.text("died_at DESC"), sa.text("id DESC")])
    op.create_index(op.f("ix_dead_jobs_name"), "dead_jobs", ["name"])

    op.add_column("categories", sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False))
    op.add_column("categories", sa.Column("moving_to", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_categories_moving_to"), "categories", "categories", ["moving_to"], ["id"], ondelete="RESTRICT"
    )
    op.create_index(op.f("ix_categories_moving_to"), "categories", ["moving_to"])
    op.create_check_constraint(op.f("ck_categories_not_moving_to_itself"), "categories", "moving_to <> id")
    op.create_table(
        "category_edits",
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("edited_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_category_edits")),
    )

    op.create_table(
        "search_replays",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("listing_ids", postgresql.ARRAY(sa.Uuid()), nullable=True),
        sa.Column("category_id", sa.Uuid(), nullable=True),
        sa.Column("done_to", sa.Uuid(), nullable=True),
        sa.Column("handled", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("estimated", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column("touched_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "CASE scope WHEN 'all' THEN num_nonnulls(since, listing_ids, category_id) = 0 "
            "WHEN 'since' THEN since IS NOT NULL AND num_nonnulls(listing_ids, category_id) = 0 "
            "WHEN 'listing_ids' THEN listing_ids IS NOT NULL AND num_nonnulls(since, category_id) = 0 "
            "WHEN 'category' THEN category_id IS NOT NULL AND num_nonnulls(since, listing_ids) = 0 ELSE false END",
            name=op.f("ck_search_replays_scope"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_replays")),
    )
    op.create_index("ix_search_replays_unfinished", "search_replays", ["touched_at"], postgresql_where=_UNFINISHED)
    op.create_index(
        "uq_search_replays_whole",
        "search_replays",
        ["scope"],
        unique=True,
        postgresql_where=sa.text("scope = 'all' AND finished_at IS NULL"),
    )
