"""A block between two people ends their chats, in the words of a chat's own block, and nothing slips past it."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.ids import new_id
from memi.platform.runtime import Runtime
from memi.users import service as users
from memi.users.blocks_queries import is_block_between
from memi.users.models import User
from support.people import People, Person
from support.sql import Sql
from support.talks import Talk, Talks

_SEND = "SELECT refusal FROM chat_send($1, $2, $3, 'under way', NULL, false, '{}', '{}')"


async def block(one: Person, other: Person) -> None:
    reply = await one.put(f"/users/me/blocks/{other.id}")
    assert reply.status_code == 204, reply.text


async def everything(sql: Sql, talk: Talk) -> list[dict[str, Any]]:
    chats = await sql.rows("SELECT * FROM chats WHERE id = $1", UUID(talk.id))
    return chats + await sql.rows("SELECT * FROM messages WHERE chat_id = $1 ORDER BY seq", UUID(talk.id))


async def messages_between(sql: Sql, one: Person, other: Person) -> int:
    people = [UUID(one.id), UUID(other.id)]
    query = """
        SELECT count(*) FROM messages m JOIN chats c ON c.id = m.chat_id
        WHERE c.buyer_id = ANY($1) AND c.seller_id = ANY($1)
    """
    return await sql.value(query, people)


class TestContinuing:
    @pytest.mark.parametrize("blocker", ["buyer", "seller"])
    async def test_neither_can_and_both_hear_the_same(self, talks: Talks, sql: Sql, blocker: str) -> None:
        talk = await talks.new()
        one, other = (talk.buyer, talk.seller) if blocker == "buyer" else (talk.seller, talk.buyer)
        await block(one, other)
        before = await everything(sql, talk)
        refusals: list[Any] = []
        for person in (talk.buyer, talk.seller):
            reply = await person.post(f"/chats/{talk.id}/messages", {"body": "Salam"})
            refusals.append((reply.status_code, reply.json()["code"], reply.json()["detail"]))
        again = await talk.buyer.post(f"/listings/{talk.listing_id}/chat", {"body": "Salam"})
        refusals.append((again.status_code, again.json()["code"], again.json()["detail"]))
        # Word for word what the chat's own block says.
        assert set(refusals) == {(403, "chat_blocked", "One of you has blocked this chat.")}
        assert await everything(sql, talk) == before

    async def test_until_both_have_taken_it_back(self, talks: Talks) -> None:
        talk = await talks.new()
        await block(talk.buyer, talk.seller)
        await block(talk.seller, talk.buyer)
        await talk.buyer.delete(f"/users/me/blocks/{talk.seller.id}")
        assert (await talk.buyer.post(f"/chats/{talk.id}/messages", {"body": "Salam"})).status_code == 403
        await talk.seller.delete(f"/users/me/blocks/{talk.buyer.id}")
        await talk.say(talk.buyer)
        await talk.say(talk.seller)

    async def test_what_was_sent_before_can_still_be_read_and_confirmed(self, talks: Talks) -> None:
        talk = await talks.new()
        sent = await talk.say(talk.buyer, client_id="a")
        await block(talk.seller, talk.buyer)
        assert await talk.say(talk.buyer, client_id="a") == sent
        seen = (await talk.seller.get(f"/chats/{talk.id}/messages")).json()["items"]
        assert [message["seq"] for message in seen] == [2, 1]

    async def test_the_chat_does_not_say_who(self, talks: Talks) -> None:
        talk = await talks.new()
        before = await talk.seen_by(talk.buyer)
        await block(talk.seller, talk.buyer)
        assert await talk.seen_by(talk.buyer) == before

    async def test_others_go_on(self, talks: Talks) -> None:
        talk = await talks.new()
        other = await talks.new(seller=talk.seller)
        await block(talk.seller, talk.buyer)
        await other.say(other.buyer)
        await other.say(other.seller)


class TestStarting:
    @pytest.mark.parametrize("blocker", ["buyer", "seller"])
    async def test_makes_no_chat(self, people: People, talks: Talks, sql: Sql, blocker: str) -> None:
        buyer, seller = await people.new(), await people.new()
        item = await talks.item(seller)
        await (block(buyer, seller) if blocker == "buyer" else block(seller, buyer))
        reply = await buyer.post(f"/listings/{item}/chat", {"body": "Salam"})
        assert (reply.status_code, reply.json()["code"]) == (403, "chat_blocked")
        assert await sql.value("SELECT count(*) FROM chats WHERE listing_id = $1", UUID(item)) == 0


class TestRaces:
    async def test_a_block_waits_for_the_message_under_way(
        self, talks: Talks, sql: Sql, database_urls: EmbeddedUrls
    ) -> None:
        talk = await talks.new()
        async with Sql.connect(database_urls.migrator) as sender:
            transaction = sender.connection.transaction()
            await transaction.start()
            assert await sender.value(_SEND, UUID(talk.id), UUID(talk.buyer.id), new_id()) is None
            blocking = asyncio.create_task(block(talk.seller, talk.buyer))
            await asyncio.sleep(0.3)
            assert not blocking.done()
            assert await sql.value("SELECT count(*) FROM user_blocks WHERE blocker_id = $1", UUID(talk.seller.id)) == 0
            await transaction.commit()
            await blocking
        assert await messages_between(sql, talk.buyer, talk.seller) == 2

    async def test_a_message_waits_for_the_block_under_way(self, talks: Talks, database_urls: EmbeddedUrls) -> None:
        talk = await talks.new()
        pair = (UUID(talk.seller.id), UUID(talk.buyer.id))
        async with Sql.connect(database_urls.migrator) as blocker:
            transaction = blocker.connection.transaction()
            await transaction.start()
            await blocker.execute("INSERT INTO user_blocks (blocker_id, blocked_id) VALUES ($1, $2)", *pair)
            await blocker.execute("SELECT FROM chats WHERE id = $1 FOR NO KEY UPDATE", UUID(talk.id))
            sending = asyncio.create_task(talk.buyer.post(f"/chats/{talk.id}/messages", {"body": "Salam"}))
            await asyncio.sleep(0.3)
            assert not sending.done()
            await transaction.commit()
            assert (await sending).json()["code"] == "chat_blocked"

    async def test_a_block_waits_for_the_chat_that_begins(
        self, people: People, talks: Talks, database_urls: EmbeddedUrls
    ) -> None:
        buyer, seller = await people.new(), await people.new()
        async with Sql.connect(database_urls.migrator) as starter:
            transaction = starter.connection.transaction()
            await transaction.start()
            assert await starter.value("SELECT people_apart($1, $2)", UUID(buyer.id), UUID(seller.id)) is False
            blocking = asyncio.create_task(block(seller, buyer))
            await asyncio.sleep(0.3)
            assert not blocking.done()
            await transaction.commit()
            await blocking
            assert await starter.value("SELECT people_apart($1, $2)", UUID(buyer.id), UUID(seller.id)) is True

    async def test_nothing_comes_after_a_block_between_many_messages(self, talks: Talks, sql: Sql) -> None:
        for round_ in range(5):
            talk = await talks.new()
            other = await talks.new(talk.buyer, talk.seller)
            stop = asyncio.Event()
            refused: list[str] = []

            async def chatter(talk: Talk, person: Person, stop: asyncio.Event, refused: list[str]) -> None:
                while not stop.is_set():
                    body = {"body": "Salam", "client_id": uuid4().hex}
                    reply = await person.post(f"/chats/{talk.id}/messages", body)
                    if reply.status_code != 201:
                        refused.append(reply.json()["code"])

            talking = [
                asyncio.create_task(chatter(one, person, stop, refused))
                for one in (talk, other)
                for person in (talk.buyer, talk.seller)
            ]
            await asyncio.sleep(0.05 + 0.01 * round_)
            await block(talk.seller, talk.buyer)
            sent = await messages_between(sql, talk.buyer, talk.seller)
            await asyncio.sleep(0.1)
            stop.set()
            await asyncio.gather(*talking)
            assert await messages_between(sql, talk.buyer, talk.seller) == sent
            assert set(refused) == {"chat_blocked"}

    async def test_nothing_comes_after_a_block_of_chats_that_begin(
        self, people: People, talks: Talks, sql: Sql
    ) -> None:
        for _ in range(8):
            buyer, seller = await people.new(), await people.new()
            items = [await talks.item(seller) for _ in range(4)]

            async def block_and_count(buyer: Person, seller: Person) -> int:
                await asyncio.sleep(0.005)
                await block(seller, buyer)
                return await messages_between(sql, buyer, seller)

            sent, *replies = await asyncio.gather(
                block_and_count(buyer, seller),
                *(buyer.post(f"/listings/{item}/chat", {"body": "Salam"}) for item in items),
            )
            assert {reply.status_code for reply in replies} <= {201, 403}
            assert await messages_between(sql, buyer, seller) == sent
            assert sent == sum(reply.status_code == 201 for reply in replies)


class TestForFeaturesAbove:
    async def test_both_ways_of_asking_agree(self, people: People, runtime: Runtime) -> None:
        one, other, third = await people.new(), await people.new(), await people.new()
        await block(one, other)
        for left, right, apart in ((one, other, True), (other, one, True), (one, third, False), (third, other, False)):
            pair = UUID(left.id), UUID(right.id)
            async with runtime.unit_of_work() as session:
                assert await users.blocked_between(session, *pair) is apart
                found = await session.scalars(select(User.id).where(is_block_between(User.id, pair[0])))
                assert (pair[1] in set(found)) is apart
