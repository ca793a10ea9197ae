"""What the database itself enforces for notifications."""

revision = "0010_notifications_rules"
down_revision = "0009_audit_rules"


def upgrade() -> None:
    pass
