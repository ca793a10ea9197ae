"""The audit log can be added to and nothing else, whoever asks."""

from alembic import op

from memi.platform.migrations import run_script

revision = "0009_audit_rules"
down_revision = "0008_reservations_rules"

# A trigger binds the owner and superusers too, which a REVOKE does not.
_SCRIPT = """
CREATE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_log is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_log_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only();
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_append_only;
"""


def upgrade() -> None:
    run_script(op, _SCRIPT)
