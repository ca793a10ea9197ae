"""Whose words the reason of a cancelled order is; the words of people who were erased before go from their deals."""

import sqlalchemy as sa
from alembic import op

from memi.platform.migrations import run_script

revision = "0030_cancelled_by"
down_revision = "0029_flag_notes"

_FORGOTTEN = """
UPDATE reservations r SET message = NULL FROM users u
WHERE u.id = r.buyer_id AND u.erased_at IS NOT NULL AND r.message IS NOT NULL;
UPDATE orders o SET cancel_reason = NULL FROM users u
WHERE u.id IN (o.buyer_id, o.seller_id) AND u.erased_at IS NOT NULL AND o.cancel_reason IS NOT NULL;
"""


def upgrade() -> None:
    op.add_column("orders", sa.Column("cancelled_by", sa.Text()))
    op.create_check_constraint(op.f("ck_orders_cancelled_by"), "orders", "cancelled_by IN ('BUYER','SELLER')")
    run_script(op, _FORGOTTEN)
