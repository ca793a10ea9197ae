"""Words of people whose account is erased go, by one function and never without an entry in the audit log."""

import sqlalchemy as sa
from alembic import op

from memi.platform.migrations import run_script

revision = "0028_erased_words"
down_revision = "0027_listings_purged"

_RULES = """
-- Chats of a person in which moderators may still have to read: a report is open, a decision is appealed or can be.
CREATE FUNCTION chats_looked_at(p_person uuid) RETURNS SETOF uuid LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp AS $$
    SELECT DISTINCT r.chat_id FROM public.reports r
    LEFT JOIN public.moderation_decisions d ON d.id = r.decision_id
    WHERE r.chat_id IS NOT NULL AND (r.reporter_id = p_person OR r.subject_id = p_person)
        AND (r.status = 'OPEN' OR (d.action <> 'DISMISS' AND d.decided_at >= now() - interval '30 days')
            OR EXISTS (SELECT FROM public.moderation_appeals a WHERE a.decision_id = d.id AND a.status = 'OPEN'))
$$;

-- A message may lose its words, all at once and nothing else of it: when its sender's account is erased, and in a
-- transaction that writes so into the audit log. This binds the owner and superusers too.
CREATE FUNCTION messages_lose_only_words() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    words CONSTANT text[] := '{body,client_id,upload_id,words_erased_at}';
BEGIN
    IF EXISTS (
        SELECT FROM was LEFT JOIN became ON became.id = was.id
        WHERE became.id IS NULL OR was.words_erased_at IS NOT NULL OR became.words_erased_at IS NULL
            OR to_jsonb(became) - words <> to_jsonb(was) - words
    ) OR EXISTS (
        SELECT FROM (SELECT DISTINCT sender_id FROM was) AS s
        WHERE NOT EXISTS (SELECT FROM public.users u WHERE u.id = s.sender_id AND u.erased_at IS NOT NULL)
            -- Only its own transaction sees an entry that is not in the chain yet.
            OR NOT EXISTS (
                SELECT FROM public.audit_log a
                WHERE a.target_type = 'USER' AND a.target_id = s.sender_id::text AND a.action = 'user.words_erased'
                    AND a.chain_seq IS NULL
            )
    ) THEN
        RAISE EXCEPTION 'messages are never changed or removed' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END $$;

DROP TRIGGER messages_are_kept ON messages;
CREATE TRIGGER messages_are_kept BEFORE DELETE OR TRUNCATE ON messages
    FOR EACH STATEMENT EXECUTE FUNCTION messages_are_kept();
CREATE TRIGGER messages_lose_only_words AFTER UPDATE ON messages
    REFERENCING OLD TABLE AS was NEW TABLE AS became
    FOR EACH STATEMENT EXECUTE FUNCTION messages_lose_only_words();
CREATE TRIGGER messages_begin_with_words BEFORE INSERT ON messages
    FOR EACH ROW WHEN (NEW.words_erased_at IS NOT NULL) EXECUTE FUNCTION messages_are_kept();

-- Erase the words of at most `p_most` messages of the person whom `p_request` names: an entry of the audit log by which
-- somebody asked for it, committed before. What was done becomes the entry `p_entry`, by the same hand and for the same
-- reason. `more`: there are further ones. `held_back`: there are some in chats that moderators may still have to read.
-- It runs as the owner: the service itself can change no message.
CREATE FUNCTION chat_erase_words(p_request uuid, p_entry uuid, p_most integer) RETURNS TABLE (
    messages integer, more boolean, held_back boolean, pictures uuid[], pictures_of uuid[]
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    request public.audit_log;
    person uuid;
    looked_at uuid[];
    locked uuid[];
    due uuid[] := '{}';
BEGIN
    IF p_most IS NULL OR p_most NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION 'of 1 to 10000 messages, not %', p_most USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT * INTO request FROM public.audit_log a
    WHERE a.id = p_request AND a.action = 'user.erase_words' AND a.target_type = 'USER' AND a.actor_id IS NOT NULL
        AND a.reason IS NOT NULL AND a.chain_seq IS NOT NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'nobody asked for words to be erased by %', p_request USING ERRCODE = 'insufficient_privilege';
    END IF;
    person := request.target_id::uuid;
    IF NOT EXISTS (SELECT FROM public.users u WHERE u.id = person AND u.erased_at IS NOT NULL) THEN
        RAISE EXCEPTION 'the account % is not erased', person USING ERRCODE = 'insufficient_privilege';
    END IF;

    -- A report refers to its chat, so that none is made while the chat is locked; those made before are seen after.
    looked_at := ARRAY(SELECT public.chats_looked_at(person));
    locked := ARRAY(
        SELECT c.id FROM public.chats c
        WHERE c.id IN (
            SELECT m.chat_id FROM public.messages m
            WHERE m.sender_id = person AND m.words_erased_at IS NULL AND m.chat_id <> ALL (looked_at) LIMIT p_most
        )
        ORDER BY c.id FOR UPDATE
    );
    looked_at := ARRAY(SELECT public.chats_looked_at(person));
    due := ARRAY(
        SELECT m.id FROM public.messages m
        WHERE m.sender_id = person AND m.words_erased_at IS NULL AND m.chat_id = ANY (locked)
            AND m.chat_id <> ALL (looked_at)
        LIMIT p_most
    );

    messages := cardinality(due);
    SELECT coalesce(array_agg(m.upload_id), '{}'), coalesce(array_agg(m.id), '{}') INTO pictures, pictures_of
    FROM public.messages m WHERE m.id = ANY (due) AND m.upload_id IS NOT NULL;
    IF messages > 0 THEN
        INSERT INTO public.audit_log (id, actor_id, impersonator_id, action, target_type, target_id, reason, after)
        VALUES (
            p_entry, request.actor_id, request.impersonator_id, 'user.words_erased', 'USER', request.target_id,
            request.reason,
            jsonb_build_object('request_id', p_request, 'messages', messages, 'pictures', cardinality(pictures))
        );
        UPDATE public.messages m
        SET body = '', client_id = NULL, upload_id = NULL, words_erased_at = now() WHERE m.id = ANY (due);
        -- What was said of the words may repeat them, and there is nothing left to look at.
        UPDATE public.message_flags f
        SET note = NULL, resolved_at = coalesce(f.resolved_at, now()) WHERE f.message_id = ANY (due);
    END IF;
    more := EXISTS (
        SELECT FROM public.messages m
        WHERE m.sender_id = person AND m.words_erased_at IS NULL AND m.chat_id <> ALL (looked_at)
    );
    held_back := EXISTS (
        SELECT FROM public.messages m
        WHERE m.sender_id = person AND m.words_erased_at IS NULL AND m.chat_id = ANY (looked_at)
    );
    RETURN NEXT;
END $$;

REVOKE ALL ON FUNCTION chat_erase_words(uuid, uuid, integer) FROM PUBLIC;
"""


def upgrade() -> None:
    op.add_column("messages", sa.Column("words_erased_at", sa.DateTime(timezone=True)))
    op.drop_constraint(op.f("ck_messages_body_length"), "messages")
    op.create_check_constraint(
        op.f("ck_messages_body_length"),
        "messages",
        "char_length(body) <= 4000 AND (char_length(body) > 0) = (words_erased_at IS NULL)",
    )
    op.create_check_constraint(
        op.f("ck_messages_erased_is_wordless"),
        "messages",
        "words_erased_at IS NULL OR (sender_id IS NOT NULL AND num_nonnulls(client_id, upload_id) = 0)",
    )
    run_script(op, _RULES)
