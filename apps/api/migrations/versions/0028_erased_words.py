"""Words of people whose account is erased go, by one function and never without an entry in the audit log."""

import sqlalchemy as sa
from alembic import op

from memi.platform.migrations import run_script

revision = "0028_erased_words"
down_revision = "0027_listings_purged"

_RULES = """
-- An account is erased once its days are over, and the service cannot make them shorter: not less than the least that
-- MEMI_ACCOUNT_UNDO_DAYS may say, and never made less. Whoever owns the table may, but cannot erase before their end.
CREATE FUNCTION users_are_erased_in_time() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF OLD.erased_at IS NULL AND NEW.erased_at IS NOT NULL AND (OLD.erase_after <= now()) IS NOT TRUE THEN
        RAISE EXCEPTION 'the days of account % are not over', OLD.id USING ERRCODE = 'integrity_constraint_violation',
            CONSTRAINT = 'users_are_erased_in_time';
    END IF;
    IF NEW.erase_after IS DISTINCT FROM OLD.erase_after
        AND NEW.erase_after < coalesce(OLD.erase_after, now() + interval '1 day')
        AND NOT pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'MEMBER') THEN
        RAISE EXCEPTION 'the days of account % cannot be made shorter', OLD.id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'users_are_erased_in_time';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER users_are_erased_in_time BEFORE UPDATE ON users FOR EACH ROW
    WHEN ((OLD.erase_after, OLD.erased_at) IS DISTINCT FROM (NEW.erase_after, NEW.erased_at))
    EXECUTE FUNCTION users_are_erased_in_time();

-- A flag refers to its message's chat, which is how a chat that is locked gets none, and how those of a chat are found.
CREATE FUNCTION message_flags_know_their_chat() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.chat_id := (SELECT m.chat_id FROM public.messages m WHERE m.id = NEW.message_id);
    RETURN NEW;
END $$;
CREATE TRIGGER message_flags_know_their_chat BEFORE INSERT OR UPDATE OF message_id, chat_id ON message_flags
    FOR EACH ROW EXECUTE FUNCTION message_flags_know_their_chat();

-- Which of these chats of a person somebody may still have to read, and because of what: a report that is open,
-- appealed, or was decided within the days of an appeal (`reports.appeals.WITHIN`), whatever was decided; a flag on a
-- message of theirs that nobody has dealt with; money that is on its way.
CREATE FUNCTION chats_looked_at(p_chats uuid[], p_person uuid) RETURNS TABLE (chat_id uuid, because text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT r.chat_id, 'REPORT' FROM public.reports r
    LEFT JOIN public.moderation_decisions d ON d.id = r.decision_id
    WHERE r.chat_id = ANY (p_chats) AND (
        r.status = 'OPEN' OR d.decided_at >= now() - interval '30 days'
        OR EXISTS (SELECT FROM public.moderation_appeals a WHERE a.decision_id = d.id AND a.status = 'OPEN')
    )
    UNION
    SELECT f.chat_id, 'FLAG' FROM public.message_flags f
    JOIN public.messages m ON m.id = f.message_id
    WHERE f.chat_id = ANY (p_chats) AND f.resolved_at IS NULL AND m.sender_id = p_person
    UNION
    SELECT o.chat_id, 'ORDER' FROM public.orders o
    WHERE o.chat_id = ANY (p_chats) AND (
        o.status IN ('AWAITING_PAYMENT', 'PAID')
        OR EXISTS (SELECT FROM public.refund_requests q WHERE q.order_id = o.id AND q.status <> 'DONE')
    )
$$;

-- A message may lose its words, all at once and nothing else of it: when its sender's account is erased, and in a
-- transaction that writes so into the audit log. This binds the owner and superusers too.
CREATE FUNCTION messages_lose_only_words() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    words CONSTANT text[] := '{body,client_id,upload_id,words_erased_at}';
BEGIN
    -- As sets, ids included: a join would compare each with each, for nobody knows how many there are.
    IF EXISTS (SELECT FROM was WHERE words_erased_at IS NOT NULL)
        OR EXISTS (SELECT FROM became WHERE words_erased_at IS NULL)
        OR EXISTS (SELECT to_jsonb(was) - words FROM was EXCEPT SELECT to_jsonb(became) - words FROM became)
    OR EXISTS (
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

-- Also for whoever says that they are a replica.
ALTER TABLE messages ENABLE ALWAYS TRIGGER messages_are_kept;
ALTER TABLE messages ENABLE ALWAYS TRIGGER messages_lose_only_words;
ALTER TABLE messages ENABLE ALWAYS TRIGGER messages_begin_with_words;
ALTER TABLE users ENABLE ALWAYS TRIGGER users_are_erased_in_time;
ALTER TABLE users ENABLE ALWAYS TRIGGER users_stay_erased;

-- Whether the present transaction wrote a row, by its `xmin`. In a savepoint, released or not, that is not the
-- transaction's own number but a later one that is in progress as long as the transaction is.
CREATE FUNCTION is_written_here(p_xmin xid) RETURNS boolean LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(CASE WHEN later >= 0 THEN pg_xact_status((mine + later)::text::xid8) = 'in progress' END, false)
    FROM (SELECT pg_current_xact_id_if_assigned()::text::bigint AS mine) AS t,
        -- `xmin` is the lower half of a number: take it for the one nearest to ours.
        LATERAL (SELECT ((p_xmin::text::bigint - mine + 2147483648) & 4294967295) - 2147483648 AS later) AS d
$$;

-- Erase the words of the person whom `p_request` names: an entry of the audit log by which an administrator, who is
-- still one, asked for it in another transaction. What was done becomes the entry `p_entry`, by the same hand and for
-- the same reason. It runs as the owner: the service itself can change no message.
--
-- It walks over the person's chats, those first that have been quiet longest, and through each by number, from the
-- place `p_at`, `p_chat`, `p_seq` on, and looks at no more than `p_most` messages, whosever they are. A chat to which
-- something is added meanwhile moves on to behind that place, never to before it. `more`: go on from `upto_…`.
-- `held_back_by`: why words stay that it came by.
CREATE FUNCTION chat_erase_words(
    p_request uuid, p_entry uuid, p_most integer, p_at timestamptz, p_chat uuid, p_seq bigint
) RETURNS TABLE (
    messages integer, more boolean, held_back_by text[], pictures uuid[], pictures_of uuid[],
    upto_at timestamptz, upto_chat uuid, upto_seq bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    request public.audit_log;
    person uuid;
    next record;
    since bigint;
    left_to_look integer := p_most;
    words uuid[] := '{}';
    met uuid[];
    looked_at uuid[];
    reasons text[];
    locked uuid[];
    due uuid[];
BEGIN
    IF p_most IS NULL OR p_most NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION 'of 1 to 10000 messages, not %', p_most USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT * INTO request FROM public.audit_log a
    WHERE a.id = p_request AND a.action = 'user.erase_words' AND a.target_type = 'USER' AND a.actor_id IS NOT NULL
        AND a.impersonator_id IS NULL AND a.reason IS NOT NULL AND a.chain_seq IS NOT NULL
        AND NOT public.is_written_here(a.xmin);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'nobody asked for words to be erased by %', p_request USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NOT EXISTS (
        SELECT FROM public.users u
        WHERE u.id = request.actor_id AND 'ADMIN' = ANY (u.roles) AND NOT u.is_blocked AND u.deleted_at IS NULL
    ) THEN
        RAISE EXCEPTION 'who asked by % is no administrator now', p_request USING ERRCODE = 'insufficient_privilege';
    END IF;
    person := request.target_id::uuid;
    IF NOT EXISTS (SELECT FROM public.users u WHERE u.id = person AND u.erased_at IS NOT NULL) THEN
        RAISE EXCEPTION 'the account % is not erased', person USING ERRCODE = 'insufficient_privilege';
    END IF;

    upto_at := coalesce(p_at, '-infinity');
    upto_chat := coalesce(p_chat, '00000000-0000-0000-0000-000000000000');
    upto_seq := coalesce(p_seq, 0);
    -- Each chat counts for one at least, but that in which the last walk ended: so there are enough of them.
    FOR next IN
        SELECT c.id, c.last_message_at, c.last_seq FROM (
            (
                SELECT b.id, b.last_message_at, b.last_seq FROM public.chats b
                WHERE b.buyer_id = person AND (b.last_message_at, b.id) >= (upto_at, upto_chat)
                ORDER BY b.last_message_at, b.id LIMIT p_most + 1
            ) UNION ALL (
                SELECT s.id, s.last_message_at, s.last_seq FROM public.chats s
                WHERE s.seller_id = person AND (s.last_message_at, s.id) >= (upto_at, upto_chat)
                ORDER BY s.last_message_at, s.id LIMIT p_most + 1
            )
        ) AS c ORDER BY c.last_message_at, c.id LIMIT p_most + 1
    LOOP
        since := CASE WHEN (next.last_message_at, next.id) = (upto_at, upto_chat) THEN upto_seq ELSE 0 END;
        upto_at := next.last_message_at;
        upto_chat := next.id;
        upto_seq := least(next.last_seq, since + left_to_look);
        words := words || ARRAY(
            SELECT m.id FROM public.messages m
            WHERE m.chat_id = next.id AND m.seq > since AND m.seq <= upto_seq
                AND m.sender_id = person AND m.words_erased_at IS NULL
        );
        left_to_look := left_to_look - greatest(upto_seq - since, (since = 0)::integer);
        EXIT WHEN left_to_look <= 0;
    END LOOP;
    more := left_to_look <= 0;

    -- Reports, flags and orders refer to their chat, so that none is made while it is locked; what was made before is
    -- seen after.
    met := ARRAY(SELECT DISTINCT m.chat_id FROM public.messages m WHERE m.id = ANY (words));
    SELECT coalesce(array_agg(l.chat_id), '{}'), coalesce(array_agg(l.because), '{}') INTO looked_at, reasons
    FROM public.chats_looked_at(met, person) l;
    locked := ARRAY(
        SELECT c.id FROM public.chats c WHERE c.id = ANY (met) AND c.id <> ALL (looked_at) ORDER BY c.id FOR UPDATE
    );
    SELECT coalesce(array_agg(l.chat_id), '{}'), reasons || coalesce(array_agg(l.because), '{}') INTO looked_at, reasons
    FROM public.chats_looked_at(locked, person) l;
    held_back_by := ARRAY(SELECT DISTINCT r FROM unnest(reasons) AS r ORDER BY r);
    due := ARRAY(
        SELECT m.id FROM public.messages m
        WHERE m.id = ANY (words) AND m.words_erased_at IS NULL AND m.chat_id = ANY (locked)
            AND m.chat_id <> ALL (looked_at)
    );

    messages := cardinality(due);
    SELECT coalesce(array_agg(m.upload_id), '{}'), coalesce(array_agg(m.id), '{}') INTO pictures, pictures_of
    FROM public.messages m WHERE m.id = ANY (due) AND m.upload_id IS NOT NULL;
    IF messages > 0 THEN
        INSERT INTO public.audit_log (id, actor_id, action, target_type, target_id, reason, after)
        VALUES (
            p_entry, request.actor_id, 'user.words_erased', 'USER', request.target_id, request.reason,
            jsonb_build_object('request_id', p_request, 'messages', messages, 'pictures', cardinality(pictures))
        );
        UPDATE public.messages m
        SET body = '', client_id = NULL, upload_id = NULL, words_erased_at = now() WHERE m.id = ANY (due);
        -- What was noted of the words may repeat them.
        UPDATE public.message_flags f SET note = NULL WHERE f.message_id = ANY (due) AND f.note IS NOT NULL;
    END IF;
    RETURN NEXT;
END $$;

REVOKE ALL ON FUNCTION chat_erase_words(uuid, uuid, integer, timestamptz, uuid, bigint) FROM PUBLIC;
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
    op.add_column("message_flags", sa.Column("chat_id", sa.Uuid()))
    op.execute("UPDATE message_flags f SET chat_id = m.chat_id FROM messages m WHERE m.id = f.message_id")
    op.alter_column("message_flags", "chat_id", nullable=False)
    op.create_foreign_key(
        op.f("fk_message_flags_chat_id"), "message_flags", "chats", ["chat_id"], ["id"], ondelete="RESTRICT"
    )
    op.create_index(op.f("ix_message_flags_chat_id"), "message_flags", ["chat_id"])
    run_script(op, _RULES)
