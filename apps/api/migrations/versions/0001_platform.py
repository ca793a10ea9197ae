"""Extensions, the job queue and what is kept of its runs."""

import sqlalchemy as sa
from alembic import op
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment

from memi.platform.migrations import run_script

revision = "0001_platform"
down_revision = None


def upgrade() -> None:
    for extension in ("pg_trgm", "unaccent", "btree_gist"):
        op.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")
    run_script(op, QueryBuilderEnvironment().build_install_query())
    # Its NOTIFY runs inside every enqueuing transaction and serialises their commits; memi pokes after the commit.
    op.execute("DROP TRIGGER tg_pgqueuer_changed ON pgqueuer")
    timestamp = sa.DateTime(timezone=True)
    op.create_table(
        "job_attempts",
        sa.Column("job_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "job_receipts",
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("done_at", timestamp, server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", "name"),
    )
    op.create_index("ix_job_receipts_done_at", "job_receipts", ["done_at"])
    op.create_table(
        "dead_jobs",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("died_at", timestamp, server_default=sa.func.now(), nullable=False),
    )
    op.create_table(
        "job_schedules",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("next_run", timestamp, server_default=sa.func.now(), nullable=False),
    )
