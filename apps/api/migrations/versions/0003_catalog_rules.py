"""What the database itself does for catalog: every change of the reference data makes a new edition."""

from alembic import op

from memi.platform.migrations import run_script

revision = "0003_catalog_rules"
down_revision = "0002_trade"

_TABLES = ("categories", "brands", "sizes", "colors", "materials", "conditions", "cities")


def upgrade() -> None:
    run_script(
        op,
        """
        INSERT INTO reference_state (name, content_hash) VALUES ('edition', gen_random_uuid()::text);

        CREATE FUNCTION new_catalog_edition() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            UPDATE reference_state SET content_hash = gen_random_uuid()::text WHERE name = 'edition';
            RETURN NULL;
        END $$;
        """,
    )
    for table in _TABLES:
        op.execute(
            f"CREATE TRIGGER {table}_edition AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION new_catalog_edition()"
        )
