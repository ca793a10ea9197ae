"""Tables of orders, and what a reservation knows of the order that was made of it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015_orders"
down_revision = "0014_idempotency"

_UNPAID = "status IN ('PENDING','AWAITING_PAYMENT')"
_PEOPLE = ("buyer_id", "seller_id")


def upgrade() -> None:
    op.create_table(
        "orders",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("reservation_id", sa.Uuid()),
        sa.Column("buyer_id", sa.Uuid(), nullable=False),
        sa.Column("seller_id", sa.Uuid(), nullable=False),
        sa.Column("chat_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), server_default="PENDING", nullable=False),
        sa.Column("delivery", sa.Text(), nullable=False),
        sa.Column("address", postgresql.JSONB()),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("price_amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("cover_upload_id", sa.Uuid()),
        sa.Column("buyer_name", sa.Text()),
        sa.Column("seller_name", sa.Text()),
        sa.Column("payment_id", sa.Text()),
        sa.Column("payment_url", sa.Text()),
        sa.Column("payment_flag", sa.Text()),
        sa.Column("ended_because", sa.Text()),
        sa.Column("cancel_reason", sa.Text()),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True)),
        sa.Column("completed_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint(
            "status IN ('PENDING','AWAITING_PAYMENT','PAID','COMPLETED','CANCELLED','PAYMENT_FAILED','REFUNDED')",
            name=op.f("ck_orders_status"),
        ),
        sa.CheckConstraint("delivery IN ('MEETUP','SHIPPING')", name=op.f("ck_orders_delivery")),
        sa.CheckConstraint("buyer_id <> seller_id", name=op.f("ck_orders_two_people")),
        sa.CheckConstraint("price_amount > 0", name=op.f("ck_orders_price_positive")),
        sa.CheckConstraint("delivery = 'SHIPPING' OR address IS NULL", name=op.f("ck_orders_address_is_for_shipping")),
        sa.CheckConstraint(f"({_UNPAID}) = (expires_at IS NOT NULL)", name=op.f("ck_orders_unpaid_has_end")),
        *(
            sa.ForeignKeyConstraint([column], ["users.id"], name=op.f(f"fk_orders_{column}"), ondelete="RESTRICT")
            for column in _PEOPLE
        ),
        sa.ForeignKeyConstraint(["chat_id"], ["chats.id"], name=op.f("fk_orders_chat_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(
            ["cover_upload_id"], ["uploads.id"], name=op.f("fk_orders_cover_upload_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["listing_id"], ["listings.id"], name=op.f("fk_orders_listing_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["reservation_id"], ["reservations.id"], name=op.f("fk_orders_reservation_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
    )
    for column in _PEOPLE:
        op.create_index(op.f(f"ix_orders_{column}"), "orders", [column, sa.literal_column("id DESC")])
    for column in ("chat_id", "cover_upload_id", "listing_id", "reservation_id", "updated_at"):
        op.create_index(op.f(f"ix_orders_{column}"), "orders", [column])
    op.create_index("ix_orders_expiring", "orders", ["expires_at"], postgresql_where=sa.text(_UNPAID))
    op.create_index(
        "uq_orders_live",
        "orders",
        ["listing_id"],
        unique=True,
        postgresql_where=sa.text("status IN ('PENDING','AWAITING_PAYMENT','PAID','COMPLETED')"),
    )
    op.create_index(
        "uq_orders_payment_id",
        "orders",
        ["payment_id"],
        unique=True,
        postgresql_where=sa.text("payment_id IS NOT NULL"),
    )
    op.create_table(
        "refund_requests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="REQUESTED", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_refund_requests_amount_positive")),
        sa.CheckConstraint("status IN ('REQUESTED','SENT','DONE')", name=op.f("ck_refund_requests_status")),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_refund_requests_order_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refund_requests")),
    )
    op.create_index("uq_refund_requests_order_id", "refund_requests", ["order_id"], unique=True)
    op.create_index(
        "ix_refund_requests_open",
        "refund_requests",
        ["created_at"],
        postgresql_where=sa.text("status <> 'DONE'"),
    )
    op.add_column("reservations", sa.Column("order_id", sa.Uuid()))
    op.create_foreign_key(
        op.f("fk_reservations_order_id"), "reservations", "orders", ["order_id"], ["id"], ondelete="RESTRICT"
    )
    op.create_index(op.f("ix_reservations_order_id"), "reservations", ["order_id"])
