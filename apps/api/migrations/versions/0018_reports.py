"""Tables of reports, decisions and appeals; chats that moderators close."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from memi.platform.migrations import run_script

revision = "0018_reports"
down_revision = "0017_payments"

_OPEN = sa.text("status = 'OPEN'")
_TARGET = (
    "CASE target_type WHEN 'LISTING' THEN chat_id IS NULL AND coalesce(listing_id, target_id) = target_id "
    "WHEN 'USER' THEN listing_id IS NULL AND chat_id IS NULL AND subject_id = target_id "
    "WHEN 'CHAT' THEN listing_id IS NULL AND chat_id IS NOT NULL AND chat_id = target_id "
    "WHEN 'MESSAGE' THEN listing_id IS NULL AND chat_id IS NOT NULL AND message_id IS NOT NULL "
    "AND message_id = target_id ELSE false END AND (target_type = 'MESSAGE' OR message_id IS NULL)"
)
_DECIDED = (
    "CASE status WHEN 'OPEN' THEN decided_by IS NULL AND decided_at IS NULL "
    "ELSE decided_by IS NOT NULL AND decided_at IS NOT NULL AND statement IS NOT NULL END"
)

_RULES = """
-- What was reported and decided stays. Words, and what says who somebody was, may only be forgotten.
CREATE FUNCTION reports_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.reporter_id, NEW.subject_id, NEW.target_type, NEW.target_id, NEW.chat_id, NEW.message_id, NEW.reason,
        NEW.created_at)
        IS DISTINCT FROM (OLD.reporter_id, OLD.subject_id, OLD.target_type, OLD.target_id, OLD.chat_id, OLD.message_id,
        OLD.reason, OLD.created_at)
        OR (NEW.listing_id IS NOT NULL AND NEW.listing_id IS DISTINCT FROM OLD.listing_id)
        OR (NEW.details IS NOT NULL AND NEW.details IS DISTINCT FROM OLD.details)
        OR (NEW.snapshot <> '{}' AND NEW.snapshot IS DISTINCT FROM OLD.snapshot) THEN
        RAISE EXCEPTION 'report % cannot be rewritten', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.decision_id IS NOT NULL AND NEW.decision_id IS DISTINCT FROM OLD.decision_id THEN
        RAISE EXCEPTION 'report % is resolved', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER stay BEFORE UPDATE ON reports FOR EACH ROW EXECUTE FUNCTION reports_stay();

CREATE FUNCTION moderation_decisions_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.subject_id, NEW.action, NEW.decided_by, NEW.decided_at)
        IS DISTINCT FROM (OLD.subject_id, OLD.action, OLD.decided_by, OLD.decided_at)
        OR (NEW.statement <> '' AND NEW.statement IS DISTINCT FROM OLD.statement) THEN
        RAISE EXCEPTION 'decision % cannot be rewritten', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER stay BEFORE UPDATE ON moderation_decisions FOR EACH ROW EXECUTE FUNCTION moderation_decisions_stay();

-- An appeal is decided once, and never by whoever took the decision.
CREATE FUNCTION moderation_appeals_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (
        NEW.decision_id <> OLD.decision_id OR (NEW.text <> '' AND NEW.text <> OLD.text)
        OR (OLD.status <> 'OPEN' AND (NEW.status, NEW.decided_by) IS DISTINCT FROM (OLD.status, OLD.decided_by))
    ) THEN
        RAISE EXCEPTION 'appeal % cannot be rewritten', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT FROM moderation_decisions d WHERE d.id = NEW.decision_id AND d.decided_by = NEW.decided_by) THEN
        RAISE EXCEPTION 'appeal % must be decided by another', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER stay BEFORE INSERT OR UPDATE ON moderation_appeals
    FOR EACH ROW EXECUTE FUNCTION moderation_appeals_stay();

-- As before, and refuse what people say in a chat that a moderator closed. Lines that nobody wrote still go through,
-- so that a deal which is under way can end.
CREATE OR REPLACE FUNCTION chat_send(
    p_chat uuid, p_sender uuid, p_message uuid, p_body text, p_client_id text, p_verified_only boolean,
    p_job_names text[], p_job_payloads bytea[]
) RETURNS TABLE (
    refusal text, fresh boolean, id uuid, chat_id uuid, seq bigint, sender_id uuid, kind text, body text,
    client_id text, created_at timestamptz
) LANGUAGE plpgsql SECURITY INVOKER AS $$
#variable_conflict use_variable
DECLARE
    chat chats;
    stored messages;
    other_id uuid;
    sender_stands boolean;
    sender_verified boolean;
    other_stands boolean;
    apart boolean;
BEGIN
    SELECT * INTO chat FROM chats c
    WHERE c.id = p_chat AND (p_sender IS NULL OR p_sender IN (c.buyer_id, c.seller_id))
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        refusal := 'not_found';
        fresh := false;
        RETURN NEXT;
        RETURN;
    END IF;

    IF p_sender IS NOT NULL THEN
        IF p_client_id IS NOT NULL THEN
            SELECT * INTO stored FROM messages m
            WHERE m.chat_id = p_chat AND m.sender_id = p_sender AND m.client_id = p_client_id;
            IF FOUND THEN
                RETURN QUERY SELECT NULL, false, stored.id, stored.chat_id, stored.seq, stored.sender_id, stored.kind,
                    stored.body, stored.client_id, stored.created_at;
                RETURN;
            END IF;
        END IF;
        other_id := CASE WHEN p_sender = chat.buyer_id THEN chat.seller_id ELSE chat.buyer_id END;
        SELECT NOT me.is_blocked AND me.deleted_at IS NULL, me.email_verified_at IS NOT NULL,
            NOT other.is_blocked AND other.deleted_at IS NULL,
            EXISTS (SELECT FROM user_blocks b WHERE b.blocker_id = p_sender AND b.blocked_id = other_id)
                OR EXISTS (SELECT FROM user_blocks b WHERE b.blocker_id = other_id AND b.blocked_id = p_sender)
        INTO sender_stands, sender_verified, other_stands, apart
        FROM users me, users other
        WHERE me.id = p_sender AND other.id = other_id;
        refusal := CASE
            WHEN NOT sender_stands THEN 'invalid_token'
            WHEN apart OR chat.buyer_blocked_at IS NOT NULL OR chat.seller_blocked_at IS NOT NULL THEN 'chat_blocked'
            WHEN NOT other_stands OR chat.closed_at IS NOT NULL THEN 'chat_closed'
            WHEN p_verified_only AND NOT sender_verified THEN 'email_not_verified'
        END;
        IF refusal IS NOT NULL THEN
            fresh := false;
            RETURN NEXT;
            RETURN;
        END IF;
    END IF;

    fresh := true;
    id := p_message;
    chat_id := p_chat;
    seq := chat.last_seq + 1;
    sender_id := p_sender;
    kind := CASE WHEN p_sender IS NULL THEN 'SYSTEM' ELSE 'TEXT' END;
    body := p_body;
    client_id := p_client_id;
    -- Times never run backwards within a chat, whatever the clock does.
    created_at := greatest(clock_timestamp(), chat.last_message_at);
    INSERT INTO messages (id, chat_id, seq, sender_id, kind, body, client_id, created_at)
    VALUES (id, chat_id, seq, sender_id, kind, body, client_id, created_at);
    IF cardinality(p_job_names) > 0 THEN
        INSERT INTO pgqueuer (priority, entrypoint, payload, execute_after, status)
        SELECT 0, t.name, t.payload, now(), 'queued' FROM unnest(p_job_names, p_job_payloads) AS t(name, payload);
    END IF;
    RETURN NEXT;
END $$;
"""


def _person(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], ["users.id"], name=op.f(f"fk_{table}_{column}"), ondelete="RESTRICT")


def upgrade() -> None:
    op.add_column("chats", sa.Column("closed_at", sa.DateTime(timezone=True)))
    _decisions()
    _reports()
    _appeals()
    run_script(op, _RULES)


def _decisions() -> None:
    table = "moderation_decisions"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("statement", sa.Text()),
        sa.Column("decided_by", sa.Uuid(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "action IN ('DISMISS','REMOVE_LISTING','WARN_USER','BLOCK_USER','CLOSE_CHAT')",
            name=op.f("ck_moderation_decisions_action"),
        ),
        sa.CheckConstraint(
            "action = 'DISMISS' OR statement IS NOT NULL", name=op.f("ck_moderation_decisions_action_is_explained")
        ),
        sa.CheckConstraint("decided_by <> subject_id", name=op.f("ck_moderation_decisions_not_oneself")),
        _person(table, "subject_id"),
        _person(table, "decided_by"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_moderation_decisions")),
    )
    op.create_index(op.f("ix_moderation_decisions_subject_id"), table, ["subject_id", sa.literal_column("id DESC")])
    op.create_index(op.f("ix_moderation_decisions_decided_by"), table, ["decided_by"])


def _reports() -> None:
    op.create_table(
        "reports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("reporter_id", sa.Uuid(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("target_type", sa.Text(), nullable=False),
        sa.Column("target_id", sa.Uuid(), nullable=False),
        sa.Column("listing_id", sa.Uuid()),
        sa.Column("chat_id", sa.Uuid()),
        sa.Column("message_id", sa.Uuid()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("details", sa.Text()),
        sa.Column("snapshot", postgresql.JSONB(), nullable=False),
        sa.Column("status", sa.Text(), server_default="OPEN", nullable=False),
        sa.Column("claimed_by", sa.Uuid()),
        sa.Column("claimed_until", sa.DateTime(timezone=True)),
        sa.Column("decision_id", sa.Uuid()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("status IN ('OPEN','RESOLVED')", name=op.f("ck_reports_status")),
        sa.CheckConstraint(
            "(status = 'RESOLVED') = (decision_id IS NOT NULL)", name=op.f("ck_reports_resolved_by_decision")
        ),
        sa.CheckConstraint("status = 'OPEN' OR claimed_by IS NULL", name=op.f("ck_reports_claim_ends")),
        sa.CheckConstraint("(claimed_by IS NULL) = (claimed_until IS NULL)", name=op.f("ck_reports_claim_has_end")),
        sa.CheckConstraint("reporter_id <> subject_id", name=op.f("ck_reports_two_people")),
        sa.CheckConstraint(_TARGET, name=op.f("ck_reports_target")),
        *(_person("reports", column) for column in ("reporter_id", "subject_id", "claimed_by")),
        sa.ForeignKeyConstraint(
            ["listing_id"], ["listings.id"], name=op.f("fk_reports_listing_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["chat_id"], ["chats.id"], name=op.f("fk_reports_chat_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_reports_message_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["decision_id"], ["moderation_decisions.id"], name=op.f("fk_reports_decision_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reports")),
    )
    for column in ("reporter_id", "subject_id"):
        op.create_index(op.f(f"ix_reports_{column}"), "reports", [column, sa.literal_column("id DESC")])
    for column in ("listing_id", "chat_id", "message_id", "claimed_by", "decision_id"):
        op.create_index(op.f(f"ix_reports_{column}"), "reports", [column])
    op.create_index(op.f("ix_reports_target_type_target_id"), "reports", ["target_type", "target_id"])
    op.create_index("ix_reports_queue", "reports", ["id"], postgresql_where=_OPEN)
    op.create_index(
        "uq_reports_open", "reports", ["reporter_id", "target_type", "target_id"], unique=True, postgresql_where=_OPEN
    )


def _appeals() -> None:
    table = "moderation_appeals"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="OPEN", nullable=False),
        sa.Column("statement", sa.Text()),
        sa.Column("decided_by", sa.Uuid()),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("status IN ('OPEN','UPHELD','OVERTURNED')", name=op.f("ck_moderation_appeals_status")),
        sa.CheckConstraint(_DECIDED, name=op.f("ck_moderation_appeals_decided_has_decider")),
        _person(table, "decided_by"),
        sa.ForeignKeyConstraint(
            ["decision_id"],
            ["moderation_decisions.id"],
            name=op.f("fk_moderation_appeals_decision_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_moderation_appeals")),
    )
    op.create_index("uq_moderation_appeals_decision_id", table, ["decision_id"], unique=True)
    op.create_index(op.f("ix_moderation_appeals_decided_by"), table, ["decided_by"])
    op.create_index("ix_moderation_appeals_queue", table, ["id"], postgresql_where=_OPEN)
