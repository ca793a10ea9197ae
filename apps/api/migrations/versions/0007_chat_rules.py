"""Messages are numbered, sent and kept by the database itself: contiguous, deduplicated, never changed."""

from alembic import op

from memi.platform.migrations import run_script

revision = "0007_chat_rules"
down_revision = "0006_search_rules"

_RULES = """
CREATE FUNCTION messages_are_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'messages are never changed or removed' USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER messages_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON messages
    FOR EACH STATEMENT EXECUTE FUNCTION messages_are_kept();

-- Whoever inserts a message, its chat moves on with it, or the message is refused.
CREATE FUNCTION chats_follow_message() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE chats SET
        last_seq = NEW.seq,
        last_message_at = NEW.created_at,
        -- A sender has seen what came before. A system line is unread only behind something unread.
        buyer_read_seq = CASE
            WHEN NEW.sender_id = buyer_id OR (NEW.sender_id IS NULL AND buyer_read_seq = last_seq) THEN NEW.seq
            ELSE buyer_read_seq END,
        seller_read_seq = CASE
            WHEN NEW.sender_id = seller_id OR (NEW.sender_id IS NULL AND seller_read_seq = last_seq) THEN NEW.seq
            ELSE seller_read_seq END,
        buyer_archived_at = NULL,
        seller_archived_at = NULL
    WHERE id = NEW.chat_id AND last_seq = NEW.seq - 1
        AND (NEW.sender_id IS NULL OR NEW.sender_id IN (buyer_id, seller_id));
    IF NOT FOUND THEN
        RAISE EXCEPTION 'message % does not continue chat %', NEW.seq, NEW.chat_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER chats_follow_message AFTER INSERT ON messages
    FOR EACH ROW EXECUTE FUNCTION chats_follow_message();

CREATE FUNCTION last_seq_follows_messages() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'last_seq changes only with a message' USING ERRCODE = 'check_violation';
END $$;

CREATE TRIGGER last_seq_follows_messages BEFORE UPDATE ON chats
    FOR EACH ROW WHEN (NEW.last_seq <> OLD.last_seq AND pg_trigger_depth() = 0)
    EXECUTE FUNCTION last_seq_follows_messages();

CREATE TRIGGER last_seq_starts_at_0 BEFORE INSERT ON chats
    FOR EACH ROW WHEN (NEW.last_seq <> 0)
    EXECUTE FUNCTION last_seq_follows_messages();

-- Send a message (`p_sender` NULL: a system line). One row: the message, new or as stored under the same
-- `p_client_id`, or a `refusal`. Every statement sees what was committed before the lock on the chat was granted.
CREATE FUNCTION chat_send(
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
    sender_stands boolean;
    sender_verified boolean;
    other_stands boolean;
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
        SELECT NOT me.is_blocked AND me.deleted_at IS NULL, me.email_verified_at IS NOT NULL,
            NOT other.is_blocked AND other.deleted_at IS NULL
        INTO sender_stands, sender_verified, other_stands
        FROM users me, users other
        WHERE me.id = p_sender
            AND other.id = CASE WHEN p_sender = chat.buyer_id THEN chat.seller_id ELSE chat.buyer_id END;
        refusal := CASE
            WHEN NOT sender_stands THEN 'invalid_token'
            WHEN chat.buyer_blocked_at IS NOT NULL OR chat.seller_blocked_at IS NOT NULL THEN 'chat_blocked'
            WHEN NOT other_stands THEN 'chat_closed'
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


def upgrade() -> None:
    run_script(op, _RULES)
