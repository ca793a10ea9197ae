"""What the database itself enforces of erasure: it is for good, and it may take what else never changes."""

from alembic import op

from memi.platform.migrations import run_script

revision = "0013_privacy_rules"
down_revision = "0012_people_rules"

_RULES = """
CREATE FUNCTION users_stay_erased() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'account % is erased for good', OLD.id USING ERRCODE = 'integrity_constraint_violation',
        CONSTRAINT = 'users_stay_erased';
END $$;

CREATE TRIGGER users_stay_erased BEFORE UPDATE ON users FOR EACH ROW
    WHEN (OLD.erased_at IS NOT NULL AND (OLD.erased_at, OLD.deleted_at, OLD.email, OLD.name)
        IS DISTINCT FROM (NEW.erased_at, NEW.deleted_at, NEW.email, NEW.name))
    EXECUTE FUNCTION users_stay_erased();

-- A sold item stays what its buyer agreed to, but the words and whereabouts of a seller whose days are over go.
CREATE OR REPLACE FUNCTION keep_agreed_listing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status = 'RESERVED' THEN
        RAISE EXCEPTION 'the price of listing % is frozen while it is reserved', OLD.id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'listings_price_frozen';
    END IF;
    IF NEW.description = '' AND NEW.lat IS NULL AND NEW.lon IS NULL
        AND (OLD.title, OLD.price_amount, OLD.currency, OLD.condition, OLD.brand)
            IS NOT DISTINCT FROM (NEW.title, NEW.price_amount, NEW.currency, NEW.condition, NEW.brand)
        AND EXISTS (SELECT FROM users WHERE id = OLD.seller_id AND erase_after <= now())
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'listing % is sold and cannot be edited', OLD.id
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'listings_sold_read_only';
END $$;

-- What somebody was told stays as it was told, but the name in it may become that of nobody.
CREATE OR REPLACE FUNCTION notifications_are_only_read() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    nameless jsonb := OLD.data
        || CASE WHEN OLD.data ? 'sender_name' THEN '{"sender_name": "Deleted user"}'::jsonb ELSE '{}' END
        || CASE WHEN OLD.data ? 'other_name' THEN '{"other_name": "Deleted user"}'::jsonb ELSE '{}' END;
BEGIN
    IF NEW.data = nameless AND (OLD.id, OLD.user_id, OLD.type, OLD.event, OLD.dedupe_key, OLD.created_at)
        IS NOT DISTINCT FROM (NEW.id, NEW.user_id, NEW.type, NEW.event, NEW.dedupe_key, NEW.created_at)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'notification % was told already', OLD.id USING ERRCODE = 'check_violation';
END $$;
"""


def upgrade() -> None:
    op.create_check_constraint(
        op.f("ck_users_erased_is_nameless"),
        "users",
        "erased_at IS NULL OR (email LIKE 'deleted-%@deleted.invalid' AND password_hash IS NULL AND bio IS NULL "
        "AND avatar_upload_id IS NULL AND avatar_url IS NULL AND city IS NULL AND phone IS NULL)",
    )
    run_script(op, _RULES)
