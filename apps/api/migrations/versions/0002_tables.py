"""Every feature's tables."""

from alembic import op

from memi.platform.database import Base

revision = "0002_tables"
down_revision = "0001_platform"


def upgrade() -> None:
    Base.metadata.create_all(op.get_bind())
