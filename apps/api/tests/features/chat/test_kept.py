"""What the database itself refuses, whoever asks, and what it does on its own."""

from uuid import UUID

import asyncpg
import pytest

from memi.chat import service
from memi.chat.events import MessageSent
from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.ids import new_id
from memi.platform.runtime import Runtime
from support.sql import Sql
from support.talks import Talks

_INSERT = "INSERT INTO messages (id, chat_id, seq, sender_id, kind, body) VALUES ($1, $2, $3, $4, $5, 'x')"


class TestMessagesAreKept:
    @pytest.mark.parametrize("role", ["app", "migrator"])
    @pytest.mark.parametrize(
        "statement", ["UPDATE messages SET body = 'other'", "DELETE FROM messages", "TRUNCATE messages CASCADE"]
    )
    async def test_nobody_rewrites_them(
        self, talks: Talks, database_urls: EmbeddedUrls, sql: Sql, role: str, statement: str
    ) -> None:
        talk = await talks.new()
        async with Sql.connect(getattr(database_urls, role)) as connection:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        assert await sql.value("SELECT body FROM messages WHERE chat_id = $1", UUID(talk.id)) == "Is it still there?"


class TestNumbers:
    @pytest.mark.parametrize("seq", [1, 3])
    async def test_only_the_next_one_is_taken(self, talks: Talks, sql: Sql, seq: int) -> None:
        talk = await talks.new()
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await sql.execute(_INSERT, new_id(), UUID(talk.id), seq, UUID(talk.buyer.id), "TEXT")
        await sql.execute(_INSERT, new_id(), UUID(talk.id), 2, UUID(talk.buyer.id), "TEXT")
        assert (await talk.seen_by(talk.seller))["last_seq"] == 2

    async def test_a_chat_counts_nothing_but_messages(self, talks: Talks, sql: Sql) -> None:
        talk = await talks.new()
        for change in ("last_seq + 1", "last_seq - 1"):
            with pytest.raises(asyncpg.CheckViolationError):
                await sql.execute(f"UPDATE chats SET last_seq = {change} WHERE id = $1", UUID(talk.id))

    async def test_only_its_people_write(self, people_of_another_chat: str, talks: Talks, sql: Sql) -> None:
        talk = await talks.new()
        with pytest.raises(asyncpg.CheckViolationError):
            await sql.execute(_INSERT, new_id(), UUID(talk.id), 2, UUID(people_of_another_chat), "TEXT")
        with pytest.raises(asyncpg.CheckViolationError):
            await sql.execute(_INSERT, new_id(), UUID(talk.id), 2, UUID(talk.buyer.id), "SYSTEM")
        with pytest.raises(asyncpg.CheckViolationError):
            await sql.execute(_INSERT, new_id(), UUID(talk.id), 2, None, "TEXT")

    @pytest.fixture
    async def people_of_another_chat(self, talks: Talks) -> str:
        return (await talks.new()).buyer.id


class TestSystemLines:
    async def test_nobody_wrote_them_and_they_are_not_unread(self, talks: Talks, runtime: Runtime) -> None:
        talk = await talks.new()
        await talk.seller.post(f"/chats/{talk.id}/read", {"seq": 1})
        async with runtime.unit_of_work() as session:
            await service.post_system(session, UUID(talk.id), "reservation.accepted")
        seen = await talk.seen_by(talk.seller)
        assert (seen["last_seq"], seen["unread_count"]) == (2, 0)
        line = seen["last_message"]
        assert (line["kind"], line["sender_id"], line["body"]) == ("SYSTEM", None, "reservation.accepted")

    async def test_they_undo_no_unread_message(self, talks: Talks, runtime: Runtime) -> None:
        talk = await talks.new()
        async with runtime.unit_of_work() as session:
            await service.post_system(session, UUID(talk.id), "reservation.requested")
        assert (await talk.seen_by(talk.seller))["read_seq"] == 0

    async def test_nothing_is_left_of_a_unit_that_fails(self, talks: Talks, runtime: Runtime) -> None:
        talk = await talks.new()

        async def fail() -> None:
            async with runtime.unit_of_work() as session:
                await service.post_system(session, UUID(talk.id), "reservation.accepted")
                raise RuntimeError

        with pytest.raises(RuntimeError):
            await fail()
        assert (await talk.seen_by(talk.seller))["last_seq"] == 1


class TestTelling:
    async def test_a_message_queues_the_jobs_of_its_event_with_it(
        self, talks: Talks, runtime: Runtime, sql: Sql
    ) -> None:
        talk = await talks.new()
        names = {job.name for job in runtime.bus.durable_jobs(MessageSent(new_id(), new_id(), new_id()))}
        assert names, "somebody listens to messages"
        message = await talk.say(talk.seller, client_id="a")
        await talk.say(talk.seller, client_id="a")
        queued = await sql.rows(
            "SELECT entrypoint FROM pgqueuer WHERE convert_from(payload, 'UTF8') LIKE $1", f"%{message['id']}%"
        )
        assert {row["entrypoint"] for row in queued} == names
        assert len(queued) == len(names)

    def test_nothing_listens_inside_the_transaction(self, runtime: Runtime) -> None:
        """Sending is one statement outside any unit of work, so such a handler would never run."""
        listeners = [item for item in runtime.bus.subscriptions if item.event is MessageSent]
        assert {item.kind for item in listeners} <= {"durable"}
