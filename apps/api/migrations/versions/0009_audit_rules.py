"""What the database itself enforces for audit."""

revision = "0009_audit_rules"
down_revision = "0008_reservations_rules"


def upgrade() -> None:
    pass
