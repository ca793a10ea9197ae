"""How long buyers typically wait for a seller's first answer."""

import asyncio
from uuid import UUID

import httpx

from memi.chat.jobs import learn_reply_times
from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.ids import new_id
from memi.platform.migrations import migrate
from memi.platform.runtime import Runtime
from support.people import People, Person
from support.sql import Sql
from support.talks import Talk, Talks

_USER = "INSERT INTO users (id, email, name) VALUES ($1, $2, 'x')"
_ITEM = (
    "INSERT INTO listings (id, seller_id, title, currency, status, version) VALUES ($1, $2, 'Coat', 'AZN', 'DRAFT', 1)"
)
_CHAT = "INSERT INTO chats (id, listing_id, buyer_id, seller_id) VALUES ($1, $2, $3, $4)"
_MESSAGE = "INSERT INTO messages (id, chat_id, seq, sender_id, kind, body) VALUES ($1, $2, $3, $4, 'TEXT', 'x')"


async def answered_after(talks: Talks, sql: Sql, seller: Person, minutes: float) -> Talk:
    """A chat that began so long ago and is answered now."""
    talk = await talks.new(seller=seller)
    await sql.execute(
        "UPDATE chats SET created_at = created_at - make_interval(secs => $2) WHERE id = $1",
        UUID(talk.id),
        minutes * 60.0,
    )
    await talk.say(seller)
    return talk


async def shown(client: httpx.AsyncClient, seller: Person) -> int | None:
    return (await client.get(f"/api/v1/users/{seller.id}")).json()["reply_minutes"]


async def test_is_the_median_of_their_chats(
    people: People, talks: Talks, sql: Sql, client: httpx.AsyncClient, runtime: Runtime
) -> None:
    seller = await people.new("Murad")
    for number, minutes in enumerate((2.5, 600, 9.5)):
        assert await shown(client, seller) is None
        await answered_after(talks, sql, seller, minutes)
        await talks.new(seller=seller)  # nobody has answered this one
        if number < 2:
            await learn_reply_times.run(runtime)
    await learn_reply_times.run(runtime)
    assert await shown(client, seller) == 10


async def test_only_the_first_answer_counts(talks: Talks, sql: Sql) -> None:
    talk = await talks.new()
    replied = "SELECT seller_replied_at FROM chats WHERE id = $1"
    await talk.say(talk.buyer)
    assert await sql.value(replied, UUID(talk.id)) is None
    first = await talk.say(talk.seller)
    await talk.say(talk.buyer)
    await talk.say(talk.seller)
    at = await sql.value(replied, UUID(talk.id))
    assert at == await sql.value("SELECT created_at FROM messages WHERE id = $1", UUID(first["id"]))


async def test_is_learnt_anew_and_keeps_the_other_numbers(
    people: People,
    talks: Talks,
    sql: Sql,
    client: httpx.AsyncClient,
    runtime: Runtime,
) -> None:
    seller = await people.new("Murad")
    for _ in range(3):
        await answered_after(talks, sql, seller, 10**7)
    await sql.execute("UPDATE seller_stats SET sold_count = 7 WHERE user_id = $1", UUID(seller.id))
    await learn_reply_times.run(runtime)
    assert await shown(client, seller) == 32_767
    for _ in range(20):
        await answered_after(talks, sql, seller, 0.5)
    await learn_reply_times.run(runtime)
    profile = (await client.get(f"/api/v1/users/{seller.id}")).json()
    assert (profile["reply_minutes"], profile["active_listing_count"], profile["sold_count"]) == (1, 23, 7)


async def test_an_installation_with_chats_brings_its_answers_along(server: EmbeddedUrls) -> None:
    name = "before_people"
    url = server.migrator.rsplit("/", 1)[0] + "/" + name
    async with Sql.connect(server.migrator) as admin:
        await admin.execute(f"CREATE DATABASE {name}")
    try:
        await asyncio.to_thread(migrate, url, server.app, "0011_identity")
        async with Sql.connect(url) as old:
            buyer, seller, item, chat = (new_id() for _ in range(4))
            for user_id in (buyer, seller):
                await old.execute(_USER, user_id, f"{user_id}@example.com")
            await old.execute(_ITEM, item, seller)
            await old.execute(_CHAT, chat, item, buyer, seller)
            for seq, sender in enumerate((buyer, seller, buyer, seller), 1):
                await old.execute(_MESSAGE, new_id(), chat, seq, sender)
            first = await old.value("SELECT created_at FROM messages WHERE seq = 2")
            await asyncio.to_thread(migrate, url, server.app)
            assert await old.value("SELECT seller_replied_at FROM chats") == first
            assert await old.value("SELECT last_seq FROM chats") == 4
    finally:
        async with Sql.connect(server.superuser) as root:
            await root.execute(f"DROP DATABASE {name} WITH (FORCE)")
