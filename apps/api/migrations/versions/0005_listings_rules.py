"""What the database itself enforces for listings."""

from alembic import op

from memi.platform.migrations import run_script

revision = "0005_listings_rules"
down_revision = "0004_media_rules"


def upgrade() -> None:
    run_script(
        op,
        """
        -- RESERVED and the hold are one fact in two tables: they must agree when the transaction ends.
        CREATE FUNCTION check_listing_hold() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            checked uuid;
            reserved boolean;
            held boolean;
        BEGIN
            IF TG_TABLE_NAME = 'listings' THEN
                checked := NEW.id;
            ELSIF TG_OP = 'DELETE' THEN
                checked := OLD.listing_id;
            ELSE
                checked := NEW.listing_id;
            END IF;
            SELECT status = 'RESERVED' INTO reserved FROM listings WHERE id = checked;
            IF NOT FOUND THEN
                RETURN NULL;
            END IF;
            SELECT EXISTS (SELECT FROM listing_holds WHERE listing_id = checked) INTO held;
            IF reserved <> held THEN
                RAISE EXCEPTION 'listing % is reserved: %, held: %', checked, reserved, held
                    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'listings_reserved_while_held';
            END IF;
            RETURN NULL;
        END $$;

        CREATE CONSTRAINT TRIGGER listings_reserved_while_held AFTER UPDATE OF status ON listings
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
            WHEN (OLD.status <> NEW.status AND 'RESERVED' IN (OLD.status, NEW.status))
            EXECUTE FUNCTION check_listing_hold();
        CREATE CONSTRAINT TRIGGER listings_reserved_while_held_new AFTER INSERT ON listings
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.status = 'RESERVED')
            EXECUTE FUNCTION check_listing_hold();
        CREATE CONSTRAINT TRIGGER listing_holds_while_reserved AFTER INSERT OR DELETE OR UPDATE OF listing_id
            ON listing_holds DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
            EXECUTE FUNCTION check_listing_hold();

        -- What a buyer agreed to stays what it was. Codes of the catalogue are left out: it may be rearranged.
        CREATE FUNCTION keep_agreed_listing() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF OLD.status = 'RESERVED' THEN
                RAISE EXCEPTION 'the price of listing % is frozen while it is reserved', OLD.id
                    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'listings_price_frozen';
            END IF;
            RAISE EXCEPTION 'listing % is sold and cannot be edited', OLD.id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'listings_sold_read_only';
        END $$;

        CREATE TRIGGER listings_price_frozen BEFORE UPDATE OF price_amount, currency ON listings FOR EACH ROW
            WHEN (OLD.status = 'RESERVED'
                  AND (OLD.price_amount, OLD.currency) IS DISTINCT FROM (NEW.price_amount, NEW.currency))
            EXECUTE FUNCTION keep_agreed_listing();
        CREATE TRIGGER listings_sold_read_only BEFORE UPDATE OF title, description, price_amount, currency, condition,
                brand, lat, lon ON listings FOR EACH ROW
            WHEN (OLD.status = 'SOLD'
                  AND (OLD.title, OLD.description, OLD.price_amount, OLD.currency, OLD.condition, OLD.brand, OLD.lat,
                       OLD.lon)
                  IS DISTINCT FROM (NEW.title, NEW.description, NEW.price_amount, NEW.currency, NEW.condition,
                       NEW.brand, NEW.lat, NEW.lon))
            EXECUTE FUNCTION keep_agreed_listing();

        -- A seller belongs to their listing for good: guards rely on it.
        CREATE FUNCTION keep_listing_seller() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'listing % keeps its seller', OLD.id USING ERRCODE = 'integrity_constraint_violation';
        END $$;
        CREATE TRIGGER listings_keep_seller BEFORE UPDATE OF seller_id ON listings FOR EACH ROW
            WHEN (OLD.seller_id <> NEW.seller_id) EXECUTE FUNCTION keep_listing_seller();
        """,
    )
