"""Erasing what somebody said goes on where a killed worker left it, and does no message twice."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from memi.platform.embedded_postgres import EmbeddedUrls
from support.leaving import Leaving
from support.leaving import leaving as leaving
from support.people import People
from support.sql import Sql
from support.talks import Talks
from support.talks import talks as talks
from support.workers import Workers

MESSAGES = 40_000
KILLS = 3
DONE = "SELECT count(*) FROM messages WHERE sender_id = $1 AND words_erased_at IS NOT NULL"


@pytest.fixture
def workers(database_urls: EmbeddedUrls, tmp_path: Path) -> Iterator[Workers]:
    made = Workers(database_urls, tmp_path)
    yield made
    made.end()


async def test_every_word_is_gone_in_the_end(
    people: People, talks: Talks, leaving: Leaving, sql: Sql, workers: Workers
) -> None:
    talk, admin = await talks.new(), await people.admin()
    person = UUID(talk.buyer.id)
    await sql.execute("ALTER TABLE messages DISABLE TRIGGER USER; ALTER TABLE chats DISABLE TRIGGER USER")
    await sql.execute(
        "INSERT INTO messages (id, chat_id, seq, sender_id, kind, body)"
        " SELECT gen_random_uuid(), $1, n, $2, 'TEXT', 'word ' || n FROM generate_series(2, $3::int) AS n",
        UUID(talk.id),
        person,
        MESSAGES,
    )
    await sql.execute("UPDATE chats SET last_seq = $2 WHERE id = $1", UUID(talk.id), MESSAGES)
    await sql.execute("ALTER TABLE messages ENABLE TRIGGER USER; ALTER TABLE chats ENABLE TRIGGER USER")
    for trigger in ("messages_are_kept", "messages_lose_only_words", "messages_begin_with_words"):
        await sql.execute(f"ALTER TABLE messages ENABLE ALWAYS TRIGGER {trigger}")
    await leaving.gone(talk.buyer)
    reply = await admin.post(f"/admin/users/{person}/erase-words", {"reason": "Asked for by letter"})
    assert reply.status_code == 202
    for kill in range(1, KILLS + 1):
        worker = workers.start()
        async with asyncio.timeout(90):
            while await sql.value(DONE, person) < kill * MESSAGES // (KILLS + 2):
                await asyncio.sleep(0.01)
        worker.kill()
        worker.wait(10)
    assert await sql.value(DONE, person) < MESSAGES, "all was done before the last kill"
    workers.start()
    async with asyncio.timeout(90):
        while await sql.value(DONE, person) < MESSAGES:
            await asyncio.sleep(0.05)
    written = "SELECT sum((after->>'messages')::int) FROM audit_log WHERE action = 'user.words_erased'"
    assert await sql.value(written) == MESSAGES
    assert (await talk.seen_by(talk.seller))["last_seq"] == MESSAGES
    assert await sql.value("SELECT count(*) FROM dead_jobs") == 0
