"""What stays of a listing that was purged, for good, and finding those that are due."""

import sqlalchemy as sa
from alembic import op

from memi.platform.migrations import run_script

revision = "0027_listings_purged"
down_revision = "0026_listings_down"

_RULES = """
CREATE FUNCTION listings_stay_purged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'listing % is purged for good', OLD.id USING ERRCODE = 'integrity_constraint_violation',
        CONSTRAINT = 'listings_stay_purged';
END $$;
CREATE TRIGGER listings_stay_purged BEFORE UPDATE OF purged_at ON listings FOR EACH ROW
    WHEN (OLD.purged_at IS NOT NULL AND NEW.purged_at IS DISTINCT FROM OLD.purged_at)
    EXECUTE FUNCTION listings_stay_purged();
"""


def upgrade() -> None:
    op.add_column("listings", sa.Column("purged_at", sa.DateTime(timezone=True)))
    op.create_check_constraint(
        op.f("ck_listings_purged_is_bare"),
        "listings",
        "purged_at IS NULL OR (status = 'DELETED' AND description = '' AND attributes = '{}' "
        "AND num_nonnulls(condition, size, color, brand, brand_slug, material, city, lat, lon) = 0)",
    )
    op.create_index(
        "ix_listings_purgeable",
        "listings",
        ["deleted_at"],
        postgresql_where=sa.text("status = 'DELETED' AND purged_at IS NULL"),
    )
    run_script(op, _RULES)
