"""What the database itself enforces for notifications."""

from alembic import op

from memi.platform.migrations import run_script

revision = "0010_notifications_rules"
down_revision = "0009_audit_rules"

_SCRIPT = """
CREATE FUNCTION notifications_are_only_read() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'notification % was told already', OLD.id USING ERRCODE = 'check_violation';
END
$$;

CREATE TRIGGER only_read BEFORE UPDATE ON notifications FOR EACH ROW
    WHEN ((OLD.id, OLD.user_id, OLD.type, OLD.event, OLD.data, OLD.dedupe_key, OLD.created_at)
        IS DISTINCT FROM (NEW.id, NEW.user_id, NEW.type, NEW.event, NEW.data, NEW.dedupe_key, NEW.created_at))
    EXECUTE FUNCTION notifications_are_only_read();
"""


def upgrade() -> None:
    run_script(op, _SCRIPT)
