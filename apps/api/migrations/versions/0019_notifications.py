"""What people want to hear and how, and the mails that notifications lead to."""

import sqlalchemy as sa
from alembic import op

from memi.platform.migrations import run_script

revision = "0019_notifications"
down_revision = "0018_reports"

_TYPES = "type IN ('MESSAGE','RESERVATION','ORDER','LISTING','MODERATION','GENERIC')"

_RULES = """
-- When the quiet hours end in which the moment is, both ends being times of a day in the zone; null outside of them.
CREATE FUNCTION quiet_until(p_from time, p_to time, p_zone text, p_at timestamptz) RETURNS timestamptz
LANGUAGE plpgsql STABLE AS $$
DECLARE
    here timestamp := p_at AT TIME ZONE p_zone;
    ends timestamp := here::date + p_to;
BEGIN
    IF p_from IS NULL THEN
        RETURN NULL;
    END IF;
    IF p_from < p_to THEN
        RETURN CASE WHEN here::time >= p_from AND here::time < p_to THEN ends AT TIME ZONE p_zone END;
    END IF;
    RETURN CASE
        WHEN here::time >= p_from THEN (ends + interval '1 day') AT TIME ZONE p_zone
        WHEN here::time < p_to THEN ends AT TIME ZONE p_zone
    END;
END $$;

-- The next moment at which it is this time of day in the zone.
CREATE FUNCTION next_time_of_day(p_time time, p_zone text, p_at timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE AS $$
    SELECT (here::date + p_time + CASE WHEN here::time < p_time THEN interval '0' ELSE interval '1 day' END)
        AT TIME ZONE p_zone
    FROM (SELECT p_at AT TIME ZONE p_zone AS here) AS moment
$$;

-- As before, with the ways by which it was told, which do not change either.
DROP TRIGGER only_read ON notifications;
CREATE TRIGGER only_read BEFORE UPDATE ON notifications FOR EACH ROW
    WHEN ((OLD.id, OLD.user_id, OLD.type, OLD.event, OLD.data, OLD.dedupe_key, OLD.created_at, OLD.in_app, OLD.push)
        IS DISTINCT FROM
        (NEW.id, NEW.user_id, NEW.type, NEW.event, NEW.data, NEW.dedupe_key, NEW.created_at, NEW.in_app, NEW.push))
    EXECUTE FUNCTION notifications_are_only_read();
CREATE OR REPLACE FUNCTION notifications_are_only_read() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    nameless jsonb := OLD.data
        || CASE WHEN OLD.data ? 'sender_name' THEN '{"sender_name": "Deleted user"}'::jsonb ELSE '{}' END
        || CASE WHEN OLD.data ? 'other_name' THEN '{"other_name": "Deleted user"}'::jsonb ELSE '{}' END;
BEGIN
    IF NEW.data = nameless
        AND (OLD.id, OLD.user_id, OLD.type, OLD.event, OLD.dedupe_key, OLD.created_at, OLD.in_app, OLD.push)
        IS NOT DISTINCT FROM
        (NEW.id, NEW.user_id, NEW.type, NEW.event, NEW.dedupe_key, NEW.created_at, NEW.in_app, NEW.push)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'notification % was told already', OLD.id USING ERRCODE = 'check_violation';
END $$;

-- A mail goes forward only: once it was claimed, nothing but a server that surely did not take it makes it due again.
CREATE FUNCTION notification_mails_go_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'mail % is % and cannot become %', OLD.notification_id, OLD.state, NEW.state
        USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER go_forward BEFORE UPDATE OF state ON notification_mails FOR EACH ROW
    WHEN (OLD.state IN ('SENT', 'FAILED', 'DROPPED') OR (OLD.state = 'DUE' AND NEW.state IN ('SENT', 'FAILED')))
    EXECUTE FUNCTION notification_mails_go_forward();
"""


def upgrade() -> None:
    op.add_column("users", sa.Column("email_refused_at", sa.DateTime(timezone=True)))
    op.add_column("notifications", sa.Column("in_app", sa.Boolean(), server_default=sa.text("true"), nullable=False))
    op.add_column("notifications", sa.Column("push", sa.Boolean(), server_default=sa.text("true"), nullable=False))
    op.drop_index("ix_notifications_unread", table_name="notifications")
    op.create_index(
        "ix_notifications_unread",
        "notifications",
        ["user_id", sa.text("id DESC")],
        postgresql_where=sa.text("read_at IS NULL AND in_app"),
    )
    op.create_table(
        "notification_preferences",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.CheckConstraint(_TYPES, name=op.f("ck_notification_preferences_type")),
        sa.CheckConstraint("channel IN ('in_app','push','email')", name=op.f("ck_notification_preferences_channel")),
        sa.CheckConstraint(
            "enabled OR type <> 'MODERATION' OR channel <> 'in_app'",
            name=op.f("ck_notification_preferences_moderation_is_told"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_notification_preferences_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "type", "channel", name=op.f("pk_notification_preferences")),
    )
    op.create_table(
        "notification_settings",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("quiet_from", sa.Time()),
        sa.Column("quiet_to", sa.Time()),
        sa.Column("time_zone", sa.Text()),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.CheckConstraint("digest IN ('off','daily')", name=op.f("ck_notification_settings_digest")),
        sa.CheckConstraint(
            "num_nonnulls(quiet_from, quiet_to, time_zone) IN (0, 3) AND quiet_from <> quiet_to",
            name=op.f("ck_notification_settings_quiet_hours_are_whole"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_notification_settings_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_notification_settings")),
    )
    op.create_table(
        "notification_mails",
        sa.Column("notification_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="DUE", nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("kind IN ('single','messages','digest')", name=op.f("ck_notification_mails_kind")),
        sa.CheckConstraint(
            "state IN ('DUE','CLAIMED','SENT','FAILED','DROPPED')", name=op.f("ck_notification_mails_state")
        ),
        sa.ForeignKeyConstraint(
            ["notification_id"],
            ["notifications.id"],
            name=op.f("fk_notification_mails_notification_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_notification_mails_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("notification_id", name=op.f("pk_notification_mails")),
    )
    op.create_index(
        "ix_notification_mails_due", "notification_mails", ["due_at"], postgresql_where=sa.text("state = 'DUE'")
    )
    op.create_index(
        "ix_notification_mails_user_id_state", "notification_mails", ["user_id", "state", "notification_id"]
    )
    run_script(op, _RULES)
