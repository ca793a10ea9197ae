"""Usage events by month, which can be added to and nothing else; consents, salts and what counting remembers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from memi.platform.migrations import run_script

revision = "0020_usage"
down_revision = "0019_notifications"

_KINDS = "'LISTING_VIEW','SEARCH','SEARCH_CLICK','FAVORITE','CONTACT','RESERVE','ORDER','SOLD','PUBLISH'"

# The partitions have a schema of their own, in which the service may do nothing: it reaches rows through the table
# only, where it may add and read. The triggers bind the owner and superusers as well.
_RULES = """
CREATE SCHEMA usage_parts;

CREATE FUNCTION usage_events_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'usage_events is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER stay BEFORE UPDATE OR DELETE OR TRUNCATE ON usage_events
    FOR EACH STATEMENT EXECUTE FUNCTION usage_events_stay();
ALTER TABLE usage_events ENABLE ALWAYS TRIGGER stay;

-- Make the partition of the month (UTC) that `p_day` lies in; whether there was none. Attaching a table that was made
-- apart lets events be written meanwhile, which creating it in its place would not.
CREATE FUNCTION usage_make_partition(p_day date) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '5s' AS $$
DECLARE
    begins date := date_trunc('month', p_day)::date;
    ends date := (date_trunc('month', p_day) + interval '1 month')::date;
    part text := 'usage_events_' || to_char(begins, 'YYYY_MM');
BEGIN
    IF p_day IS NULL OR p_day NOT BETWEEN now()::date - 3660 AND now()::date + 100 THEN
        RAISE EXCEPTION 'no usage is kept of %', p_day USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(7236431);
    IF to_regclass(format('usage_parts.%I', part)) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE usage_parts.%I (LIKE public.usage_events INCLUDING ALL)', part);
    EXECUTE format('CREATE TRIGGER stay BEFORE UPDATE OR DELETE OR TRUNCATE ON usage_parts.%I '
        'FOR EACH STATEMENT EXECUTE FUNCTION public.usage_events_stay()', part);
    EXECUTE format('ALTER TABLE usage_parts.%I ENABLE ALWAYS TRIGGER stay', part);
    EXECUTE format('ALTER TABLE public.usage_events ATTACH PARTITION usage_parts.%I FOR VALUES FROM (%L) TO (%L)',
        part, begins::timestamptz, ends::timestamptz);
    RETURN true;
END $$;

-- Drop the months that ended at least `p_keep_days` ago; how many. Nobody can have the last month dropped.
CREATE FUNCTION usage_drop_partitions(p_keep_days integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '5s' AS $$
DECLARE
    part text;
    dropped integer := 0;
BEGIN
    IF p_keep_days IS NULL OR p_keep_days NOT BETWEEN 31 AND 36600 THEN
        RAISE EXCEPTION 'usage is kept for 31 to 36600 days, not %', p_keep_days
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(7236431);
    FOR part IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'public.usage_events'::regclass
            AND to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month' <= now()::date - p_keep_days
        ORDER BY c.relname
    LOOP
        EXECUTE format('DROP TABLE usage_parts.%I', part);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;

REVOKE ALL ON FUNCTION usage_make_partition(date), usage_drop_partitions(integer) FROM PUBLIC;

SELECT usage_make_partition((date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => n))::date)
FROM generate_series(0, 2) AS n;

INSERT INTO usage_watermarks (reader, upto) VALUES ('views', clock_timestamp());
"""


def upgrade() -> None:
    _events()
    _consents()
    _counting()
    run_script(op, _RULES)


def _events() -> None:
    op.create_table(
        "usage_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("listing_id", sa.Uuid()),
        sa.Column("search_id", sa.Uuid()),
        sa.Column("position", sa.Integer()),
        sa.Column("category", sa.Text()),
        sa.Column("words", sa.Text()),
        sa.Column("visitor", sa.LargeBinary(), nullable=False),
        sa.Column("person", sa.LargeBinary()),
        sa.Column("properties", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.CheckConstraint(f"kind IN ({_KINDS})", name=op.f("ck_usage_events_kind")),
        sa.CheckConstraint("position BETWEEN 1 AND 10000", name=op.f("ck_usage_events_position")),
        sa.CheckConstraint("length(words) <= 100", name=op.f("ck_usage_events_words_are_short")),
        sa.CheckConstraint("octet_length(visitor) = 16", name=op.f("ck_usage_events_visitor_is_key")),
        sa.CheckConstraint("octet_length(person) = 16", name=op.f("ck_usage_events_person_is_key")),
        sa.CheckConstraint("octet_length(properties::text) <= 1000", name=op.f("ck_usage_events_properties_are_small")),
        sa.PrimaryKeyConstraint("at", "id", name=op.f("pk_usage_events")),
        postgresql_partition_by="RANGE (at)",
    )
    op.create_index(
        "ix_usage_events_person", "usage_events", ["person", "at", "id"], postgresql_where="person IS NOT NULL"
    )


def _consents() -> None:
    op.create_table(
        "usage_consents",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("consent", sa.Boolean(), nullable=False),
        sa.Column("salt", sa.LargeBinary()),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("consent = (salt IS NOT NULL)", name=op.f("ck_usage_consents_salt_only_with_consent")),
        sa.CheckConstraint("octet_length(salt) = 16", name=op.f("ck_usage_consents_salt_is_key")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_usage_consents_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_usage_consents")),
    )
    op.create_table(
        "usage_day_salts",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("octet_length(salt) = 32", name=op.f("ck_usage_day_salts_salt_is_key")),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_usage_day_salts")),
    )


def _counting() -> None:
    op.create_table(
        "usage_viewers",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("visitor", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("day", "listing_id", "visitor", name=op.f("pk_usage_viewers")),
    )
    op.create_table(
        "usage_watermarks",
        sa.Column("reader", sa.Text(), nullable=False),
        sa.Column("upto", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("reader", name=op.f("pk_usage_watermarks")),
    )
