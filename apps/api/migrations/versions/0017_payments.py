"""Tables of what is said between memi and the payments service."""

import sqlalchemy as sa
from alembic import op

revision = "0017_payments"
down_revision = "0016_orders_rules"


def upgrade() -> None:
    op.create_table(
        "payment_attempts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("outcome", sa.Text()),
        sa.Column("http_status", sa.SmallInteger()),
        sa.Column("detail", sa.Text()),
        sa.CheckConstraint("purpose IN ('begin','look','cancel','refund')", name=op.f("ck_payment_attempts_purpose")),
        sa.CheckConstraint(
            "outcome IN ('answered','refused','unreachable','turned_away','unclear')",
            name=op.f("ck_payment_attempts_outcome"),
        ),
        sa.CheckConstraint(
            "(finished_at IS NULL) = (outcome IS NULL)", name=op.f("ck_payment_attempts_finished_has_outcome")
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_payment_attempts_order_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_attempts")),
    )
    op.create_index("uq_payment_attempts_number", "payment_attempts", ["order_id", "purpose", "number"], unique=True)
    op.create_index(op.f("ix_payment_attempts_started_at"), "payment_attempts", ["started_at"])
    op.create_table(
        "payment_breaker",
        sa.Column("id", sa.SmallInteger(), server_default=sa.text("1"), autoincrement=False, nullable=False),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("open_until", sa.DateTime(timezone=True)),
        sa.Column("probe_until", sa.DateTime(timezone=True)),
        sa.CheckConstraint("id = 1", name=op.f("ck_payment_breaker_one_row")),
        sa.CheckConstraint("failures >= 0", name=op.f("ck_payment_breaker_failures_counted")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_breaker")),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Uuid()),
        sa.Column("payment_id", sa.Text()),
        sa.Column("event_at", sa.DateTime(timezone=True)),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('applied','unchanged','refund_requested','mismatch','unknown_order','ignored')",
            name=op.f("ck_webhook_deliveries_outcome"),
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_webhook_deliveries_order_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
    )
    op.create_index(op.f("ix_webhook_deliveries_order_id"), "webhook_deliveries", ["order_id"])
    op.create_index(op.f("ix_webhook_deliveries_received_at"), "webhook_deliveries", ["received_at"])
