"""What the database itself enforces for listings."""

revision = "0005_listings_rules"
down_revision = "0004_media_rules"


def upgrade() -> None:
    pass
