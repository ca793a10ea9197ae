"""Extensions and the job queue."""

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
