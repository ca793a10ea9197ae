"""What stands between people: who has blocked whom stops messages, and waits for those that are on their way.

Chats also remember when their seller first answered, from which the typical reply time is learnt.
"""

import sqlalchemy as sa
from alembic import op

from memi.platform.migrations import run_script

revision = "0012_people_rules"
down_revision = "0011_identity"

_RULES = """
-- The lock that stands for two people, whichever is named first. Taken before any row's lock: shared by whoever is
-- about to bring them together (a chat, a reservation, an order), alone by a block.
CREATE FUNCTION people_key(p_one uuid, p_other uuid) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT hashtextextended(least(p_one, p_other)::text || greatest(p_one, p_other)::text, 7)
$$;

-- Whether a block stands between them; until the end of the transaction none can be added. A function of its own
-- statements, because what was committed while it waited for the lock must be seen.
CREATE FUNCTION people_apart(p_one uuid, p_other uuid) RETURNS boolean LANGUAGE plpgsql SECURITY INVOKER AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(people_key(p_one, p_other));
    RETURN EXISTS (SELECT FROM user_blocks b WHERE b.blocker_id = p_one AND b.blocked_id = p_other)
        OR EXISTS (SELECT FROM user_blocks b WHERE b.blocker_id = p_other AND b.blocked_id = p_one);
END $$;

-- As before, and remember the seller's first answer.
CREATE OR REPLACE FUNCTION chats_follow_message() RETURNS trigger LANGUAGE plpgsql AS $$
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
        seller_archived_at = NULL,
        seller_replied_at = CASE
            WHEN NEW.sender_id = seller_id THEN coalesce(seller_replied_at, NEW.created_at)
            ELSE seller_replied_at END
    WHERE id = NEW.chat_id AND last_seq = NEW.seq - 1
        AND (NEW.sender_id IS NULL OR NEW.sender_id IN (buyer_id, seller_id));
    IF NOT FOUND THEN
        RAISE EXCEPTION 'message % does not continue chat %', NEW.seq, NEW.chat_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

-- As before, and refuse while a block stands between the two, in the words of the chat's own block. A block holds the
-- chats of its two people until it is committed, so that none of their messages commits after it.
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

UPDATE chats SET seller_replied_at = first.at
FROM (
    SELECT m.chat_id, min(m.created_at) AS at FROM messages m JOIN chats c ON c.id = m.chat_id
    WHERE m.sender_id = c.seller_id GROUP BY m.chat_id
) AS first
WHERE chats.id = first.chat_id;
"""


def upgrade() -> None:
    op.add_column("chats", sa.Column("seller_replied_at", sa.DateTime(timezone=True)))
    run_script(op, _RULES)
