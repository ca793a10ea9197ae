"""What the database itself enforces for reservations."""

from alembic import op

from memi.platform.migrations import run_script

revision = "0008_reservations_rules"
down_revision = "0007_chat_rules"

_SCRIPT = """
CREATE FUNCTION reservations_move_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.listing_id, NEW.buyer_id, NEW.seller_id, NEW.chat_id)
        IS DISTINCT FROM (OLD.listing_id, OLD.buyer_id, OLD.seller_id, OLD.chat_id) THEN
        RAISE EXCEPTION 'the parties of reservation % cannot change', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.status <> OLD.status AND NOT (
        (OLD.status = 'REQUESTED' AND NEW.status IN ('ACCEPTED', 'REJECTED', 'CANCELLED', 'EXPIRED'))
        OR (OLD.status = 'ACCEPTED' AND NEW.status IN ('CANCELLED', 'COMPLETED', 'EXPIRED'))
    ) THEN
        RAISE EXCEPTION 'reservation % cannot go from % to %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER move_forward BEFORE UPDATE ON reservations
    FOR EACH ROW EXECUTE FUNCTION reservations_move_forward();

-- At commit: who has an ACCEPTED reservation has the item's one hold, so that no item is ever kept for two.
CREATE FUNCTION reservations_have_hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM reservations WHERE id = NEW.id AND status = 'ACCEPTED')
        AND NOT EXISTS (
            SELECT FROM listing_holds
            WHERE listing_id = NEW.listing_id AND kind = 'RESERVATION' AND reference_id = NEW.id
                AND holder_id = NEW.buyer_id
        ) THEN
        RAISE EXCEPTION 'reservation % is ACCEPTED without the hold', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER accepted_has_hold AFTER INSERT OR UPDATE OF status ON reservations
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.status = 'ACCEPTED')
    EXECUTE FUNCTION reservations_have_hold();

CREATE FUNCTION listing_holds_leave_no_reservation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM reservations WHERE id = OLD.reference_id AND status = 'ACCEPTED')
        AND NOT EXISTS (
            SELECT FROM listing_holds WHERE listing_id = OLD.listing_id AND reference_id = OLD.reference_id
        ) THEN
        RAISE EXCEPTION 'reservation % is ACCEPTED and lost its hold', OLD.reference_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER leaves_no_reservation AFTER DELETE OR UPDATE ON listing_holds
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.kind = 'RESERVATION')
    EXECUTE FUNCTION listing_holds_leave_no_reservation();
"""


def upgrade() -> None:
    run_script(op, _SCRIPT)
