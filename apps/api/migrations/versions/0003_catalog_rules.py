"""What the database itself enforces for catalog."""

revision = "0003_catalog_rules"
down_revision = "0002_tables"


def upgrade() -> None:
    pass
