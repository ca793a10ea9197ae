"""Finding what was taken down among all that is for sale."""

import sqlalchemy as sa
from alembic import op

revision = "0026_listings_down"
down_revision = "0025_impersonations"


def upgrade() -> None:
    op.create_index(
        "ix_listings_down",
        "listings",
        ["status", sa.literal_column("id DESC")],
        postgresql_where=sa.text("status IN ('REMOVED','DELETED')"),
    )
