"""Finding the notes on flags whose time is over."""

import sqlalchemy as sa
from alembic import op

revision = "0029_flag_notes"
down_revision = "0028_erased_words"

_OVER = "resolved_at IS NOT NULL AND note IS NOT NULL"


def upgrade() -> None:
    for table in ("listing_flags", "message_flags"):
        op.create_index(f"ix_{table}_noted", table, ["resolved_at"], postgresql_where=sa.text(_OVER))
