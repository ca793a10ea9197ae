"""What days are counted from and into: moves between statuses and who was here on which day, kept by triggers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from memi.platform.migrations import run_script

revision = "0024_analytics"
down_revision = "0023_admin"

# What a row must have gone through by the times that it has. What they do not tell is dated to the moment of writing.
_LISTINGS = """
INSERT INTO status_moves (at, subject, subject_id, listing_id, before, after)
SELECT step.at, 'LISTING', l.id, l.id, step.before, step.after
FROM {source} l
CROSS JOIN LATERAL (
    SELECT CASE WHEN l.sold_at IS NOT NULL THEN 'SOLD' WHEN l.published_at IS NOT NULL THEN 'ACTIVE' ELSE 'DRAFT' END
        AS reached
) AS known
CROSS JOIN LATERAL (VALUES
    (1, least(l.created_at, l.published_at), NULL, 'DRAFT'),
    (2, l.published_at, 'DRAFT', 'ACTIVE'),
    (3, l.sold_at, 'ACTIVE', 'SOLD'),
    (4, CASE
        WHEN l.status = known.reached THEN NULL
        WHEN l.status = 'EXPIRED' THEN least(l.expires_at, now())
        WHEN l.status = 'DELETED' THEN coalesce(l.deleted_at, now())
        ELSE coalesce((SELECT h.created_at FROM listing_holds h WHERE h.listing_id = l.id), now())
        END, known.reached, l.status)
) AS step (n, at, before, after)
WHERE step.at IS NOT NULL ORDER BY step.at, l.id, step.n;
"""
_RESERVATIONS = """
INSERT INTO status_moves (at, subject, subject_id, listing_id, before, after)
SELECT step.at, 'RESERVATION', r.id, r.listing_id, step.before, step.after
FROM {source} r
CROSS JOIN LATERAL (VALUES
    (1, r.created_at, NULL, 'REQUESTED'),
    (2, CASE WHEN r.status = 'ACCEPTED' THEN coalesce(r.accepted_at, r.updated_at) ELSE r.accepted_at END,
        'REQUESTED', 'ACCEPTED'),
    (3, CASE WHEN r.status NOT IN ('REQUESTED', 'ACCEPTED') THEN r.updated_at END,
        CASE WHEN r.accepted_at IS NULL THEN 'REQUESTED' ELSE 'ACCEPTED' END, r.status)
) AS step (n, at, before, after)
WHERE step.at IS NOT NULL ORDER BY step.at, r.id, step.n;
"""
_ORDERS = """
INSERT INTO status_moves (at, subject, subject_id, listing_id, before, after)
SELECT step.at, 'ORDER', o.id, o.listing_id, step.before, step.after
FROM {source} o
CROSS JOIN LATERAL (
    SELECT CASE WHEN o.completed_at IS NOT NULL THEN 'COMPLETED' WHEN o.paid_at IS NOT NULL THEN 'PAID'
        ELSE 'PENDING' END AS reached
) AS known
CROSS JOIN LATERAL (VALUES
    (1, o.created_at, NULL, 'PENDING'),
    (2, o.paid_at, 'PENDING', 'PAID'),
    (3, o.completed_at, CASE WHEN o.paid_at IS NULL THEN 'PENDING' ELSE 'PAID' END, 'COMPLETED'),
    (4, CASE WHEN o.status <> known.reached THEN o.updated_at END, known.reached, o.status)
) AS step (n, at, before, after)
WHERE step.at IS NOT NULL ORDER BY step.at, o.id, step.n;
"""
_DAYS = """
INSERT INTO user_days (day, user_id)
SELECT (last_seen_at AT TIME ZONE 'UTC')::date, id FROM users WHERE last_seen_at IS NOT NULL;
"""

_RULES = """
CREATE FUNCTION status_moves_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'status_moves is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER stay BEFORE UPDATE OR DELETE OR TRUNCATE ON status_moves
    FOR EACH STATEMENT EXECUTE FUNCTION status_moves_stay();
ALTER TABLE status_moves ENABLE ALWAYS TRIGGER stay;

-- Whoever changes a status, by whatever way, its move is written with it.
CREATE FUNCTION follow_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'listings' THEN
        INSERT INTO status_moves (subject, subject_id, listing_id, before, after)
        VALUES ('LISTING', NEW.id, NEW.id, OLD.status, NEW.status);
    ELSE
        INSERT INTO status_moves (subject, subject_id, listing_id, before, after)
        VALUES (TG_ARGV[0], NEW.id, NEW.listing_id, OLD.status, NEW.status);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER follow_status AFTER UPDATE OF status ON listings
    FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION follow_status();
CREATE TRIGGER follow_status AFTER UPDATE OF status ON reservations
    FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION follow_status('RESERVATION');
CREATE TRIGGER follow_status AFTER UPDATE OF status ON orders
    FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION follow_status('ORDER');

CREATE FUNCTION begin_status_of_listings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {listings}
    RETURN NULL;
END $$;
CREATE FUNCTION begin_status_of_reservations() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {reservations}
    RETURN NULL;
END $$;
CREATE FUNCTION begin_status_of_orders() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {orders}
    RETURN NULL;
END $$;
CREATE TRIGGER begin_status AFTER INSERT ON listings
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION begin_status_of_listings();
CREATE TRIGGER begin_status AFTER INSERT ON reservations
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION begin_status_of_reservations();
CREATE TRIGGER begin_status AFTER INSERT ON orders
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION begin_status_of_orders();

CREATE FUNCTION end_status_of_listing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO status_moves (subject, subject_id, listing_id, before, after)
    VALUES ('LISTING', OLD.id, OLD.id, OLD.status, NULL);
    RETURN NULL;
END $$;
CREATE TRIGGER end_status AFTER DELETE ON listings FOR EACH ROW EXECUTE FUNCTION end_status_of_listing();

CREATE FUNCTION note_day_of_user() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO user_days (day, user_id) VALUES ((NEW.last_seen_at AT TIME ZONE 'UTC')::date, NEW.id)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER note_day AFTER UPDATE OF last_seen_at ON users FOR EACH ROW
    WHEN (NEW.last_seen_at IS NOT NULL AND (OLD.last_seen_at IS NULL OR
        (OLD.last_seen_at AT TIME ZONE 'UTC')::date <> (NEW.last_seen_at AT TIME ZONE 'UTC')::date))
    EXECUTE FUNCTION note_day_of_user();

-- What is written of a day that is over has that day counted anew.
CREATE FUNCTION mark_days_of_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO analytics_marks (day)
    SELECT DISTINCT (at AT TIME ZONE 'UTC')::date FROM added
    WHERE at < date_trunc('day', clock_timestamp(), 'UTC');
    RETURN NULL;
END $$;
CREATE TRIGGER mark_days AFTER INSERT ON status_moves
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION mark_days_of_moves();

CREATE FUNCTION mark_days_of_users() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO analytics_marks (day)
    SELECT DISTINCT (created_at AT TIME ZONE 'UTC')::date FROM added
    WHERE created_at < date_trunc('day', clock_timestamp(), 'UTC');
    RETURN NULL;
END $$;
CREATE TRIGGER mark_days AFTER INSERT ON users
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION mark_days_of_users();

CREATE FUNCTION mark_day_of_leaving() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO analytics_marks (day)
    SELECT (at AT TIME ZONE 'UTC')::date FROM unnest(ARRAY[OLD.deleted_at, NEW.deleted_at]) AS t(at)
    WHERE at < date_trunc('day', clock_timestamp(), 'UTC');
    RETURN NULL;
END $$;
CREATE TRIGGER mark_day_of_leaving AFTER UPDATE OF deleted_at ON users FOR EACH ROW
    WHEN (OLD.deleted_at IS DISTINCT FROM NEW.deleted_at) EXECUTE FUNCTION mark_day_of_leaving();
"""

_DAY_COLUMNS = (
    "new_users",
    "left_users",
    "active_users",
    "visitors",
    "views",
    "searches",
    "listings_created",
    "listings_published",
    "listings_sold",
    "listings_expired",
    "listings_deleted",
    "listings_removed",
    "draft_change",
    "active_change",
    "reserved_change",
    "sold_change",
    "expired_change",
    "deleted_change",
    "removed_change",
    "chats_started",
    "messages_sent",
    "reservations_made",
    "reservations_accepted",
    "reservations_rejected",
    "reservations_cancelled",
    "reservations_completed",
    "reservations_expired",
    "orders_made",
    "orders_paid",
    "orders_completed",
    "orders_cancelled",
    "orders_payment_failed",
    "orders_refunded",
)


def upgrade() -> None:
    _facts()
    _counted()
    brin = {"postgresql_using": "brin", "postgresql_with": {"autosummarize": "true"}}
    op.create_index("ix_messages_created_at", "messages", ["created_at"], **brin)
    op.create_index("ix_users_created_at", "users", ["created_at"])
    op.create_index("ix_users_deleted_at", "users", ["deleted_at"], postgresql_where=sa.text("deleted_at IS NOT NULL"))
    tables = {"listings": _LISTINGS, "reservations": _RESERVATIONS, "orders": _ORDERS}
    run_script(op, "".join(statement.format(source=name) for name, statement in tables.items()) + _DAYS)
    op.create_index("ix_status_moves_at", "status_moves", ["at"], **brin)
    run_script(op, _RULES.format(**{name: statement.format(source="added") for name, statement in tables.items()}))


def _facts() -> None:
    op.create_table(
        "status_moves",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("before", sa.Text()),
        sa.Column("after", sa.Text()),
        sa.CheckConstraint("subject IN ('LISTING','RESERVATION','ORDER')", name=op.f("ck_status_moves_subject")),
        sa.PrimaryKeyConstraint("listing_id", "id", name=op.f("pk_status_moves")),
    )
    op.create_table(
        "user_days",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_user_days_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("day", "user_id", name=op.f("pk_user_days")),
    )
    op.create_index(op.f("ix_user_days_user_id_day"), "user_days", ["user_id", "day"])
    op.create_table(
        "analytics_marks",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_analytics_marks")),
    )
    op.create_index(op.f("ix_analytics_marks_day"), "analytics_marks", ["day"])


def _count(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False)


def _counted() -> None:
    op.create_table(
        "analytics_days",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        *(_count(name) for name in _DAY_COLUMNS),
        sa.Column("waits", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("cohort_made_at", sa.DateTime(timezone=True)),
        _count("cohort_listed"),
        _count("cohort_sold"),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_analytics_days")),
    )
    _by_day("analytics_categories", "category", "views contacts sold")
    _by_day("analytics_cohorts", "category", "listed contacted reserved sold")
    _by_day(
        "analytics_searches",
        "words",
        "searches visitors",
        sa.CheckConstraint("visitors >= 5", name=op.f("ck_analytics_searches_nobodys_own")),
    )
    op.create_table(
        "analytics_periods",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("start", sa.Date(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        _count("active_users"),
        sa.CheckConstraint("kind IN ('WEEK','MONTH')", name=op.f("ck_analytics_periods_kind")),
        sa.PrimaryKeyConstraint("kind", "start", name=op.f("pk_analytics_periods")),
    )
    op.create_table(
        "analytics_retention",
        sa.Column("cohort", sa.Date(), nullable=False),
        sa.Column("week", sa.Date(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.CheckConstraint("people > 0", name=op.f("ck_analytics_retention_somebody")),
        sa.PrimaryKeyConstraint("cohort", "week", name=op.f("pk_analytics_retention")),
    )
    op.create_index(op.f("ix_analytics_retention_week"), "analytics_retention", ["week"])


def _by_day(table: str, part: str, counts: str, *rules: sa.CheckConstraint) -> None:
    op.create_table(
        table,
        sa.Column("span", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column(part, sa.Text(), nullable=False),
        *(_count(name) for name in counts.split()),
        *rules,
        sa.CheckConstraint("span IN ('DAY','MONTH')", name=op.f(f"ck_{table}_span")),
        sa.PrimaryKeyConstraint("span", "day", part, name=op.f(f"pk_{table}")),
    )
