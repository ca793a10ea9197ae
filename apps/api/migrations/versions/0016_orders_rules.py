"""What the database itself enforces for orders, and for reservations whose hold an order has taken over."""

from alembic import op

from memi.platform.migrations import run_script

revision = "0016_orders_rules"
down_revision = "0015_orders"

_ORDERS = """
-- What was agreed stays. Names and the address may only be forgotten.
CREATE FUNCTION orders_move_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.listing_id, NEW.reservation_id, NEW.buyer_id, NEW.seller_id, NEW.chat_id, NEW.delivery, NEW.title,
        NEW.price_amount, NEW.currency)
        IS DISTINCT FROM (OLD.listing_id, OLD.reservation_id, OLD.buyer_id, OLD.seller_id, OLD.chat_id, OLD.delivery,
        OLD.title, OLD.price_amount, OLD.currency)
        OR (NEW.address IS NOT NULL AND NEW.address IS DISTINCT FROM OLD.address)
        OR (NEW.buyer_name IS NOT NULL AND NEW.buyer_name IS DISTINCT FROM OLD.buyer_name)
        OR (NEW.seller_name IS NOT NULL AND NEW.seller_name IS DISTINCT FROM OLD.seller_name)
        OR (NEW.cover_upload_id IS NOT NULL AND NEW.cover_upload_id IS DISTINCT FROM OLD.cover_upload_id) THEN
        RAISE EXCEPTION 'what was agreed in order % cannot change', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.payment_id IS NOT NULL AND NEW.payment_id IS DISTINCT FROM OLD.payment_id THEN
        RAISE EXCEPTION 'order % has its payment', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.status <> OLD.status AND NOT (
        (OLD.status = 'PENDING' AND NEW.status IN ('AWAITING_PAYMENT', 'COMPLETED', 'CANCELLED'))
        OR (OLD.status = 'AWAITING_PAYMENT' AND NEW.status IN ('PAID', 'CANCELLED', 'PAYMENT_FAILED', 'REFUNDED'))
        OR (OLD.status = 'PAID' AND NEW.status IN ('COMPLETED', 'REFUNDED'))
        OR (OLD.status IN ('COMPLETED', 'CANCELLED', 'PAYMENT_FAILED') AND NEW.status = 'REFUNDED')
    ) THEN
        RAISE EXCEPTION 'order % cannot go from % to %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER move_forward BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION orders_move_forward();

-- At commit: an open order has the item's one hold, and what was paid or completed is sold, also when a moderator took
-- it down afterwards.
CREATE FUNCTION orders_have_item() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    checked uuid;
    wrong uuid;
BEGIN
    IF TG_TABLE_NAME = 'listings' THEN
        checked := NEW.id;
    ELSIF TG_OP = 'DELETE' THEN
        checked := OLD.listing_id;
    ELSE
        checked := NEW.listing_id;
    END IF;
    SELECT o.id INTO wrong FROM orders o
        WHERE o.listing_id = checked AND o.status IN ('PENDING', 'AWAITING_PAYMENT') AND NOT EXISTS (
            SELECT FROM listing_holds h
            WHERE h.listing_id = o.listing_id AND h.kind = 'ORDER' AND h.reference_id = o.id
                AND h.holder_id = o.buyer_id
        );
    IF FOUND THEN
        RAISE EXCEPTION 'order % is open without the hold', wrong
            USING ERRCODE = 'check_violation', CONSTRAINT = 'orders_have_hold';
    END IF;
    SELECT o.id INTO wrong FROM orders o JOIN listings l ON l.id = o.listing_id
        WHERE o.listing_id = checked AND o.status IN ('PAID', 'COMPLETED')
            AND NOT (l.status = 'SOLD' OR (l.status = 'REMOVED' AND l.previous_status = 'SOLD'));
    IF FOUND THEN
        RAISE EXCEPTION 'order % has been paid or completed, and its item is not sold', wrong
            USING ERRCODE = 'check_violation', CONSTRAINT = 'orders_have_sold_item';
    END IF;
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER has_item AFTER INSERT OR UPDATE OF status ON orders
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.status IN ('PENDING', 'AWAITING_PAYMENT', 'PAID', 'COMPLETED')) EXECUTE FUNCTION orders_have_item();
CREATE CONSTRAINT TRIGGER leaves_no_order AFTER DELETE OR UPDATE ON listing_holds
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.kind = 'ORDER') EXECUTE FUNCTION orders_have_item();
CREATE CONSTRAINT TRIGGER sold_stays_sold AFTER UPDATE OF status ON listings
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (OLD.status IN ('SOLD', 'REMOVED') AND OLD.status <> NEW.status) EXECUTE FUNCTION orders_have_item();
"""

_RESERVATIONS = """
-- As before, and what has ended keeps the order it ended with.
CREATE FUNCTION reservations_keep_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'reservation % is not ACCEPTED: no order takes its hold', OLD.id
        USING ERRCODE = 'check_violation';
END
$$;

CREATE TRIGGER keep_order BEFORE UPDATE OF order_id ON reservations FOR EACH ROW
    WHEN (OLD.order_id IS DISTINCT FROM NEW.order_id AND OLD.status <> 'ACCEPTED')
    EXECUTE FUNCTION reservations_keep_order();

-- At commit: an ACCEPTED reservation has the item's one hold itself, or the open order that was made of it has.
CREATE FUNCTION accepted_without_hold(p_listing uuid) RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT r.id FROM reservations r WHERE r.listing_id = p_listing AND r.status = 'ACCEPTED' AND NOT EXISTS (
        SELECT FROM listing_holds h WHERE h.listing_id = r.listing_id AND h.holder_id = r.buyer_id AND (
            (r.order_id IS NULL AND h.kind = 'RESERVATION' AND h.reference_id = r.id)
            OR (h.kind = 'ORDER' AND h.reference_id = r.order_id AND EXISTS (
                SELECT FROM orders o WHERE o.id = r.order_id AND o.reservation_id = r.id
                    AND o.status IN ('PENDING', 'AWAITING_PAYMENT')
            ))
        )
    )
$$;

CREATE OR REPLACE FUNCTION reservations_have_hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF accepted_without_hold(NEW.listing_id) IS NOT NULL THEN
        RAISE EXCEPTION 'reservation % is ACCEPTED without the hold', accepted_without_hold(NEW.listing_id)
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$;

DROP TRIGGER accepted_has_hold ON reservations;
CREATE CONSTRAINT TRIGGER accepted_has_hold AFTER INSERT OR UPDATE OF status, order_id ON reservations
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.status = 'ACCEPTED')
    EXECUTE FUNCTION reservations_have_hold();
CREATE CONSTRAINT TRIGGER ends_with_reservation AFTER UPDATE OF status ON orders
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.reservation_id IS NOT NULL)
    EXECUTE FUNCTION reservations_have_hold();

CREATE OR REPLACE FUNCTION listing_holds_leave_no_reservation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF accepted_without_hold(OLD.listing_id) IS NOT NULL THEN
        RAISE EXCEPTION 'reservation % is ACCEPTED and lost its hold', accepted_without_hold(OLD.listing_id)
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$;

DROP TRIGGER leaves_no_reservation ON listing_holds;
CREATE CONSTRAINT TRIGGER leaves_no_reservation AFTER DELETE OR UPDATE ON listing_holds
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.kind IN ('RESERVATION', 'ORDER'))
    EXECUTE FUNCTION listing_holds_leave_no_reservation();
"""


def upgrade() -> None:
    run_script(op, _ORDERS)
    run_script(op, _RESERVATIONS)
