"""What the database itself enforces for chat."""

revision = "0007_chat_rules"
down_revision = "0006_search_rules"


def upgrade() -> None:
    pass
