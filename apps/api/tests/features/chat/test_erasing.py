"""What people said goes when their account is erased and somebody asks for it; all else of a message stays."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from memi.audit import checking
from memi.chat import erasing, live_queries
from memi.chat.erasing import Erasing, erase_some, erase_words
from memi.chat.erasing_queries import Place
from memi.chat.personal_data import PERSONAL_DATA
from memi.media.store import Area, new_key, store_of
from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.ids import new_id
from memi.platform.jobs import Postponed
from memi.platform.runtime import Runtime
from support.leaving import WHY, Leaving
from support.sql import Sql
from support.talks import Talk, Talks
from support.uploads import make_upload

BLANK = "UPDATE messages SET body = '', client_id = NULL, upload_id = NULL, words_erased_at = now() WHERE chat_id = $1"
ENTRY = "INSERT INTO audit_log (id, action, target_type, target_id) VALUES ($1, 'user.words_erased', 'USER', $2)"


async def messages(talk: Talk, sql: Sql) -> list[dict[str, Any]]:
    return await sql.rows("SELECT * FROM messages WHERE chat_id = $1 ORDER BY seq", UUID(talk.id))


async def left(talk: Talk, runtime: Runtime) -> list[tuple[int, str]]:
    """(seq, body) as sockets read them."""
    found = await live_queries.messages_after(runtime.database.hot, {UUID(talk.id): 0}, 100)
    return [(message.seq, message.body) for message in found]


async def written(sql: Sql, statement: str, talk: Talk, *about: str) -> None:
    """Do that to a chat in a transaction that says in the log of these people that their words were erased."""
    async with sql.connection.transaction():
        for person in about:
            await sql.execute(ENTRY, new_id(), person)
        await sql.execute(statement, UUID(talk.id))


@pytest.fixture
async def talk(talks: Talks) -> Talk:
    """Messages 1 and 3 are the buyer's, 2 the seller's."""
    made = await talks.new()
    await made.say(made.seller, "It is")
    await made.say(made.buyer, "Then I shall come")
    return made


class TestOnlyInOneWay:
    @pytest.mark.parametrize("role", ["app", "migrator", "superuser"])
    async def test_nobody_else_takes_words_away(
        self, talk: Talk, leaving: Leaving, sql: Sql, database_urls: EmbeddedUrls, role: str
    ) -> None:
        await leaving.gone(talk.buyer)
        await leaving.gone(talk.seller)
        before = await messages(talk, sql)
        async with Sql.connect(getattr(database_urls, role)) as connection:
            for mode in ("origin", "replica") if role == "superuser" else ("origin",):
                if role == "superuser":
                    await connection.execute(f"SET session_replication_role = {mode}")
                for statement in (BLANK, "DELETE FROM messages WHERE chat_id = $1"):
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        await connection.execute(statement, UUID(talk.id))
        assert await messages(talk, sql) == before

    @pytest.mark.parametrize(
        "more", ["created_at = now()", "seq = seq + 100", "kind = 'IMAGE'", "id = gen_random_uuid()"]
    )
    async def test_with_its_entry_in_the_log_words_alone_may_go(
        self, talks: Talks, leaving: Leaving, sql: Sql, more: str
    ) -> None:
        talk = await talks.new()
        await leaving.gone(talk.buyer)
        before = await messages(talk, sql)
        for statement in (BLANK.replace("SET", f"SET {more},"), f"UPDATE messages SET {more} WHERE chat_id = $1"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await written(sql, statement, talk, talk.buyer.id)
        assert await messages(talk, sql) == before
        await written(sql, BLANK, talk, talk.buyer.id)
        assert [row["body"] for row in await messages(talk, sql)] == [""]

    async def test_an_entry_of_another_transaction_or_about_another_is_none(
        self, talk: Talk, leaving: Leaving, sql: Sql
    ) -> None:
        await leaving.gone(talk.buyer)
        await leaving.gone(talk.seller)
        before = await messages(talk, sql)
        await sql.execute(ENTRY, new_id(), talk.seller.id)
        await sql.execute(ENTRY, new_id(), talk.buyer.id)
        for about in ([], [talk.buyer.id], [talk.seller.id]):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await written(sql, BLANK, talk, *about)
        assert await messages(talk, sql) == before

    async def test_a_message_is_not_wordless_from_the_start(
        self, talk: Talk, sql: Sql, database_urls: EmbeddedUrls
    ) -> None:
        async with Sql.connect(database_urls.superuser) as connection:
            for mode in ("origin", "replica"):
                await connection.execute(f"SET session_replication_role = {mode}")
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(
                        "INSERT INTO messages (id, chat_id, seq, sender_id, kind, body, words_erased_at)"
                        " VALUES ($1, $2, 4, $3, 'TEXT', '', now())",
                        new_id(),
                        UUID(talk.id),
                        UUID(talk.buyer.id),
                    )
        assert len(await messages(talk, sql)) == 3

    async def test_strangers_to_the_service_cannot_call_it(self, sql: Sql) -> None:
        name = "chat_erase_words(uuid, uuid, integer, timestamptz, uuid, bigint)"
        may = f"SELECT has_function_privilege($1, '{name}', 'EXECUTE')"
        assert await sql.value(may, "memi_app") is True
        assert await sql.value(may, "public") is False


class TestWhatRemains:
    async def test_who_wrote_when_and_what_the_other_one_said(
        self, talk: Talk, leaving: Leaving, sql: Sql, runtime: Runtime
    ) -> None:
        await talk.seller.post(f"/chats/{talk.id}/read", {"seq": 1})
        await leaving.gone(talk.buyer)
        before, seen = await messages(talk, sql), await talk.seen_by(talk.seller)
        assert seen["unread_count"] == 1
        await erase_words.run(Erasing(await leaving.asked(talk.buyer)), runtime)
        reply = await talk.seller.get(f"/chats/{talk.id}/messages?after_seq=0")
        items = reply.json()["items"]
        assert [(item["seq"], item["body"]) for item in items] == [(1, ""), (2, "It is"), (3, "")]
        assert [item["words_erased_at"] is not None for item in items] == [True, False, True]
        assert [item["client_id"] is None for item in items] == [True, False, True]
        same = ("id", "chat_id", "seq", "sender_id", "kind", "created_at")
        after = await messages(talk, sql)
        assert [[row[name] for name in same] for row in after] == [[row[name] for name in same] for row in before]
        assert after[1] == before[1]
        now = await talk.seen_by(talk.seller)
        assert now == {**seen, "last_message": items[2]}
        assert await left(talk, runtime) == [(1, ""), (2, "It is"), (3, "")]

    async def test_lines_that_nobody_wrote_and_chats_of_others(
        self, talk: Talk, talks: Talks, leaving: Leaving, sql: Sql, runtime: Runtime
    ) -> None:
        other = await talks.new(seller=talk.seller)
        await sql.rows(
            "SELECT * FROM chat_send($1, NULL, $2, 'reservation.accepted', NULL, false, '{}', '{}')",
            UUID(talk.id),
            new_id(),
        )
        await leaving.gone(talk.buyer)
        await erase_words.run(Erasing(await leaving.asked(talk.buyer)), runtime)
        assert await left(talk, runtime) == [(1, ""), (2, "It is"), (3, ""), (4, "reservation.accepted")]
        assert await left(other, runtime) == [(1, "Is it still there?")]

    async def test_the_other_ones_data_say_that_there_were_words(
        self, talk: Talk, leaving: Leaving, runtime: Runtime
    ) -> None:
        await leaving.gone(talk.buyer)
        await erase_words.run(Erasing(await leaving.asked(talk.buyer)), runtime)
        kind = next(kind for kind in PERSONAL_DATA.kinds if kind.name == "messages")
        async with runtime.unit_of_work() as session:
            page = await kind.page(session, UUID(talk.seller.id), None)
        assert [(item["from"], item["body"]) for item in page.records] == [
            ("Deleted user", ""),
            ("you", "It is"),
            ("Deleted user", ""),
        ]
        assert [item["words_erased_at"] is not None for item in page.records] == [True, False, True]

    async def test_nothing_of_what_was_said_about_the_words(
        self, talk: Talk, leaving: Leaving, sql: Sql, runtime: Runtime
    ) -> None:
        flag = (
            "INSERT INTO message_flags (id, message_id, kind, source, note, resolved_at)"
            " SELECT gen_random_uuid(), id, 'CONTACT', 'PLUGIN', 'says: ' || body, now() FROM messages"
            " WHERE chat_id = $1"
        )
        await sql.execute(flag, UUID(talk.id))
        await leaving.gone(talk.buyer)
        await erase_words.run(Erasing(await leaving.asked(talk.buyer)), runtime)
        flags = await sql.rows(
            "SELECT f.kind, f.note FROM message_flags f"
            " JOIN messages m ON m.id = f.message_id WHERE m.chat_id = $1 ORDER BY m.seq",
            UUID(talk.id),
        )
        assert [(row["kind"], row["note"]) for row in flags] == [
            ("CONTACT", None),
            ("CONTACT", "says: It is"),
            ("CONTACT", None),
        ]


class TestPictures:
    async def _sent(self, talk: Talk, sql: Sql, runtime: Runtime, seq: int, *claimants: str) -> tuple[str, str]:
        """The upload and the stored object of a picture that is message `seq`, the buyer's."""
        upload_id, message_id, key = await make_upload(sql, talk.buyer.id), new_id(), new_key(Area.PUBLIC, ".webp")
        await sql.execute(
            "UPDATE uploads SET incoming_key = $2, original_key = $3, renditions[0]['key'] = $4, unclaimed_since = NULL"
            " WHERE id = $1",
            upload_id,
            new_key(Area.INCOMING),
            new_key(Area.ORIGINALS),
            f'"{key}"',
        )
        await sql.execute(
            "INSERT INTO messages (id, chat_id, seq, sender_id, kind, body, upload_id)"
            " VALUES ($1, $2, $3, $4, 'IMAGE', 'picture', $5)",
            message_id,
            UUID(talk.id),
            seq,
            UUID(talk.buyer.id),
            UUID(upload_id),
        )
        for claimant in (f"message:{message_id}", *claimants):
            await sql.execute("INSERT INTO upload_claims (upload_id, claimant) VALUES ($1, $2)", upload_id, claimant)
        await store_of(runtime.adapters).put(key, b"picture", "image/webp")
        return upload_id, key

    async def test_are_gone_from_the_store_unless_something_else_shows_them(
        self,
        talk: Talk,
        leaving: Leaving,
        sql: Sql,
        runtime: Runtime,
        run_jobs: Callable[[], Awaitable[None]],
    ) -> None:
        store = store_of(runtime.adapters)
        alone, alone_key = await self._sent(talk, sql, runtime, 4)
        shared, shared_key = await self._sent(talk, sql, runtime, 5, f"listing:{talk.listing_id}")
        await leaving.gone(talk.buyer)
        await run_jobs()
        assert await store.size(alone_key) is not None, "it stays with the account's erasure: the other side sees it"
        await erase_words.run(Erasing(await leaving.asked(talk.buyer)), runtime)
        await run_jobs()
        assert (await store.size(alone_key), await store.size(shared_key)) == (None, len(b"picture"))
        rows = await sql.rows("SELECT id FROM uploads WHERE id = ANY($1)", [UUID(alone), UUID(shared)])
        assert [str(row["id"]) for row in rows] == [shared]
        assert [row["claimant"] for row in await sql.rows("SELECT claimant FROM upload_claims")] == [
            f"listing:{talk.listing_id}"
        ]
        sent = (await messages(talk, sql))[3:]
        assert [(row["kind"], row["body"], row["upload_id"]) for row in sent] == [("IMAGE", "", None)] * 2
        after = await sql.value(
            "SELECT after FROM audit_log WHERE action = 'user.words_erased' AND target_id = $1", talk.buyer.id
        )
        assert '"pictures": 2' in after


class TestBatches:
    async def test_each_is_bounded_and_written_down(
        self, talks: Talks, leaving: Leaving, sql: Sql, runtime: Runtime, database_urls: EmbeddedUrls
    ) -> None:
        talk = await talks.new()
        for number in range(6):
            await talk.say(talk.buyer, f"Number {number}")
        await leaving.gone(talk.buyer)
        request = await leaving.asked(talk.buyer)
        done: list[tuple[int, bool]] = []
        upto: Place | None = None
        for _ in range(4):
            async with runtime.unit_of_work() as session:
                batch = await erase_some(session, request, upto, most=3)
            done.append((batch.messages, batch.more))
            upto = batch.upto
        assert done == [(3, True), (3, True), (1, False), (0, False)]
        entries = await sql.rows(
            "SELECT e.*, (e.after->>'messages')::int AS messages, e.after->>'request_id' AS request,"
            " r.actor_id AS asker"
            " FROM audit_log e JOIN audit_log r ON r.id = $2"
            " WHERE e.action = 'user.words_erased' AND e.target_id = $1 ORDER BY e.chain_seq",
            talk.buyer.id,
            request,
        )
        assert [entry["messages"] for entry in entries] == [3, 3, 1]
        for entry in entries:
            assert (entry["actor_id"], entry["reason"], entry["request"]) == (entry["asker"], WHY, str(request))
        await checking.check(database_urls.app, [], lambda done, total: None)

    async def test_each_looks_at_so_many_messages_whosever_they_are(
        self, talks: Talks, leaving: Leaving, runtime: Runtime
    ) -> None:
        buyer = (await talks.new()).buyer
        made = [await talks.new(buyer=buyer) for _ in range(3)]
        for _ in range(4):
            await made[1].say(made[1].seller)
        await made[1].say(buyer)
        await leaving.gone(buyer)
        request = await leaving.asked(buyer)
        done: list[int] = []
        upto: Place | None = None
        while len(done) < 6:
            async with runtime.unit_of_work() as session:
                batch = await erase_some(session, request, upto, most=2)
            done.append(batch.messages)
            if not batch.more:
                break
            upto = batch.upto
        # Three chats of one message each, then the long one: the buyer's, four of the seller's, the buyer's.
        assert done == [2, 2, 0, 0, 1]

    async def test_a_chat_to_which_something_is_added_is_not_passed_by(
        self, talks: Talks, leaving: Leaving, runtime: Runtime, sql: Sql
    ) -> None:
        buyer = (await talks.new()).buyer
        first, second = [await talks.new(buyer=buyer) for _ in range(2)]
        for _ in range(3):
            await first.say(buyer)
        await leaving.gone(buyer)
        request = await leaving.asked(buyer)
        line = "SELECT * FROM chat_send($1, NULL, $2, 'order.cancelled', NULL, false, '{}', '{}')"
        total, more = 0, True
        upto: Place | None = None
        while more:
            async with runtime.unit_of_work() as session:
                batch = await erase_some(session, request, upto, most=2)
            total, more, upto = total + batch.messages, batch.more, batch.upto
            if total < 4:
                for talk in (first, second):
                    await sql.rows(line, UUID(talk.id), new_id())
        assert total == 6

    async def test_each_run_of_the_job_gets_further(
        self, talks: Talks, leaving: Leaving, runtime: Runtime, sql: Sql, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        talk = await talks.new()
        for _ in range(6):
            await talk.say(talk.buyer)
        await leaving.gone(talk.buyer)
        request = await leaving.asked(talk.buyer)
        monkeypatch.setattr(erasing, "BATCH", 2)
        monkeypatch.setattr(erasing, "SLICE_SECONDS", 0.0)
        for run in range(1, 4):
            with pytest.raises(Postponed):
                await erase_words.run(Erasing(request), runtime)
            assert [row["body"] for row in await messages(talk, sql)].count("") == 2 * run
        await erase_words.run(Erasing(request), runtime)
        assert [row["body"] for row in await messages(talk, sql)] == [""] * 7

    async def test_many_at_once_do_each_message_once(
        self, talks: Talks, leaving: Leaving, sql: Sql, runtime: Runtime
    ) -> None:
        buyer = (await talks.new()).buyer
        made = [await talks.new(buyer=buyer) for _ in range(6)]
        for talk in made:
            for number in range(4):
                await talk.say(buyer, f"Number {number}")
        await leaving.gone(buyer)
        requests = [await leaving.asked(buyer) for _ in range(4)]

        async def work(request: UUID) -> int:
            total = 0
            upto: Place | None = None
            while True:
                async with runtime.unit_of_work() as session:
                    batch = await erase_some(session, request, upto, most=2)
                total, upto = total + batch.messages, batch.upto
                if not batch.more:
                    return total

        done = await asyncio.gather(*(work(request) for request in requests))
        assert sum(done) == 31
        written = "SELECT sum((after->>'messages')::int) FROM audit_log WHERE action = $2 AND target_id = $1"
        assert await sql.value(written, buyer.id, "user.words_erased") == 31
        for talk in made:
            assert [body for _, body in await left(talk, runtime)] == [""] * 5

    async def test_nothing_is_left_of_a_batch_that_fails(
        self, talk: Talk, leaving: Leaving, sql: Sql, runtime: Runtime
    ) -> None:
        await leaving.gone(talk.buyer)
        before, request = await messages(talk, sql), await leaving.asked(talk.buyer)

        async def fail() -> None:
            async with runtime.unit_of_work() as session:
                assert (await erase_some(session, request)).messages == 2
                raise RuntimeError

        with pytest.raises(RuntimeError):
            await fail()
        assert await messages(talk, sql) == before
        entries = "SELECT count(*) FROM audit_log WHERE action = 'user.words_erased' AND target_id = $1"
        assert await sql.value(entries, talk.buyer.id) == 0
