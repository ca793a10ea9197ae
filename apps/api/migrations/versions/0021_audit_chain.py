"""Each entry of the audit log carries a hash of itself and of the one before it, so that tampering shows."""

import sqlalchemy as sa
from alembic import op

from memi.platform.migrations import run_script

revision = "0021_audit_chain"
down_revision = "0020_usage"

_CHAIN = """
-- What the hash of an entry is made of besides the hash before it: its number and every other column, as JSON.
CREATE FUNCTION audit_log_words(p_seq bigint, p_entry audit_log) RETURNS bytea LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp AS $$
    SELECT convert_to(jsonb_build_array(
        p_seq, p_entry.id, extract(epoch FROM p_entry.at)::text, p_entry.actor_id, p_entry.impersonator_id,
        p_entry.action, p_entry.target_type, p_entry.target_id, p_entry.reason, p_entry.before, p_entry.after
    )::text, 'UTF8')
$$;

DROP TRIGGER audit_log_append_only ON audit_log;

-- What was written before there was a chain comes first, oldest first.
DO $$
DECLARE
    entry audit_log;
    last bytea := decode(repeat('00', 32), 'hex');
    n bigint := 0;
BEGIN
    FOR entry IN SELECT * FROM audit_log ORDER BY at, id LOOP
        n := n + 1;
        last := sha256(last || audit_log_words(n, entry));
        UPDATE audit_log SET chain_seq = n, hash = last WHERE id = entry.id;
    END LOOP;
    INSERT INTO audit_head (one, seq, hash) VALUES (true, n, last);
END $$;

-- The next link, made when the transaction commits and has every other lock that it takes, so that waiting for the head
-- closes no circle; and in the order of commits, so that there are no gaps. It runs as the owner: the service itself
-- can touch neither the head nor what is written.
CREATE FUNCTION audit_log_link() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    head public.audit_head;
BEGIN
    IF TG_RELID <> 'public.audit_log'::regclass OR TG_OP <> 'INSERT' THEN
        RAISE EXCEPTION 'only entries of audit_log are linked' USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT * INTO STRICT head FROM public.audit_head FOR UPDATE;
    head.seq := head.seq + 1;
    head.hash := sha256(head.hash || public.audit_log_words(head.seq, NEW));
    UPDATE public.audit_head SET seq = head.seq, hash = head.hash;
    UPDATE public.audit_log SET chain_seq = head.seq, hash = head.hash WHERE id = NEW.id;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER audit_log_link AFTER INSERT ON audit_log
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_log_link();

-- Nobody but that trigger writes a link, once, and nothing else about an entry ever changes.
CREATE FUNCTION audit_log_is_only_linked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() < 2 OR OLD.chain_seq IS NOT NULL OR NEW.chain_seq IS NULL
        OR to_jsonb(NEW) - '{chain_seq,hash}'::text[] <> to_jsonb(OLD) - '{chain_seq,hash}'::text[] THEN
        RAISE EXCEPTION 'audit_log is append-only' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER audit_log_only_linked BEFORE UPDATE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_is_only_linked();
CREATE TRIGGER audit_log_not_updated BEFORE UPDATE ON audit_log
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION audit_log_is_append_only();
CREATE TRIGGER audit_log_append_only BEFORE DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only();
CREATE TRIGGER audit_log_unlinked BEFORE INSERT ON audit_log
    FOR EACH ROW WHEN (NEW.chain_seq IS NOT NULL OR NEW.hash IS NOT NULL)
    EXECUTE FUNCTION audit_log_is_append_only();

CREATE FUNCTION audit_head_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_head follows audit_log' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_head_follows BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON audit_head
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION audit_head_follows();

-- Also for whoever says that they are a replica.
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_link;
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_only_linked;
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_not_updated;
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_append_only;
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_unlinked;
ALTER TABLE audit_head ENABLE ALWAYS TRIGGER audit_head_follows;
"""


def upgrade() -> None:
    op.add_column("audit_log", sa.Column("chain_seq", sa.BigInteger()))
    op.add_column("audit_log", sa.Column("hash", sa.LargeBinary()))
    op.create_check_constraint(
        op.f("ck_audit_log_linked_whole"), "audit_log", "num_nonnulls(chain_seq, hash) <> 1 AND length(hash) = 32"
    )
    op.create_index("uq_audit_log_chain_seq", "audit_log", ["chain_seq"], unique=True)
    op.create_table(
        "audit_head",
        sa.Column("one", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("one", name=op.f("ck_audit_head_one")),
        sa.CheckConstraint("length(hash) = 32", name=op.f("ck_audit_head_is_sha256")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_audit_head")),
    )
    run_script(op, _CHAIN)
