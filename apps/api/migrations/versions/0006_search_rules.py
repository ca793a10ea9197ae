"""What the database itself enforces for search."""

revision = "0006_search_rules"
down_revision = "0005_listings_rules"


def upgrade() -> None:
    pass
