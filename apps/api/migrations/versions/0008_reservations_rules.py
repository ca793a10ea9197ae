"""What the database itself enforces for reservations."""

revision = "0008_reservations_rules"
down_revision = "0007_chat_rules"


def upgrade() -> None:
    pass
