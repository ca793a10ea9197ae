"""Flags from before they referred to their chat refer to it after the upgrade."""

import asyncio
from uuid import uuid4

from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.migrations import migrate
from support.sql import Sql
from support.upgrades import database_at

CHAT = """
WITH person AS (
    INSERT INTO users (id, email, name) SELECT gen_random_uuid(), gen_random_uuid() || '@memi.example', 'Leyla'
    FROM generate_series(1, 2) RETURNING id
), item AS (
    INSERT INTO listings (id, seller_id, title, currency)
    SELECT gen_random_uuid(), id, 'Coat', 'AZN' FROM person LIMIT 1 RETURNING id, seller_id
), chat AS (
    INSERT INTO chats (id, listing_id, buyer_id, seller_id, last_seq)
    SELECT $1, item.id, person.id, item.seller_id, 1 FROM item JOIN person ON person.id <> item.seller_id
    RETURNING id, buyer_id
), message AS (
    INSERT INTO messages (id, chat_id, seq, sender_id, kind, body)
    SELECT gen_random_uuid(), id, 1, buyer_id, 'TEXT', 'Call me' FROM chat RETURNING id
)
INSERT INTO message_flags (id, message_id, kind, source) SELECT gen_random_uuid(), id, 'CONTACT', 'RULE' FROM message
"""


async def test_flags_know_their_chat(server: EmbeddedUrls) -> None:
    async with database_at(server, "0027_listings_purged") as (owner, superuser):
        chats = [uuid4(), uuid4()]
        async with Sql.connect(superuser) as before:
            await before.execute("SET session_replication_role = replica")
            for chat in chats:
                await before.execute(CHAT, chat)
        await asyncio.to_thread(migrate, owner, server.app)
        async with Sql.connect(owner) as after:
            rows = await after.rows(
                "SELECT f.chat_id, m.chat_id AS meant FROM message_flags f JOIN messages m ON m.id = f.message_id"
            )
            assert {row["chat_id"] for row in rows} == set(chats)
            assert all(row["chat_id"] == row["meant"] for row in rows)
            looked_at = (
                "SELECT l.because FROM messages m, chats_looked_at(ARRAY[m.chat_id], m.sender_id) AS l"
                " WHERE m.chat_id = $1"
            )
            assert await after.value(looked_at, chats[0]) == "FLAG"
