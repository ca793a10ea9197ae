"""What the database itself enforces for search, and how it stores the finished JSON."""

from alembic import op

from memi.platform.migrations import run_script

revision = "0006_search_rules"
down_revision = "0005_listings_rules"


def upgrade() -> None:
    run_script(
        op,
        """
        -- Pages are read one at a time and whole: kept out of the row, so that walking rows stays cheap, and not
        -- compressed, so that reading one costs no unpacking.
        ALTER TABLE listing_cards ALTER COLUMN page SET STORAGE EXTERNAL;
        ALTER TABLE listing_cards ALTER COLUMN card SET STORAGE MAIN;
        -- Rare tags decide plans; the default sample forgets them.
        ALTER TABLE listing_cards ALTER COLUMN tags SET STATISTICS 500;
        ALTER TABLE listing_cards ALTER COLUMN document SET STATISTICS 500;
        -- A page of new matches must not wait behind a long pending list that every search would scan.
        ALTER INDEX ix_listing_cards_document SET (gin_pending_list_limit = 512);
        ALTER INDEX ix_listing_cards_tags SET (gin_pending_list_limit = 512);
        """,
    )
