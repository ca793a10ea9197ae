"""What the database itself enforces for media."""

revision = "0004_media_rules"
down_revision = "0003_catalog_rules"


def upgrade() -> None:
    pass
