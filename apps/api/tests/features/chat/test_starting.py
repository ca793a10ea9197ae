"""The buyer's first message, and who may not send one."""

import asyncio
from uuid import UUID, uuid4

import httpx
import pytest

from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from memi.users import service as users
from support.people import People
from support.sql import Sql
from support.talks import Talks


class TestStartChat:
    async def test_anonymous(self, client: httpx.AsyncClient, people: People, talks: Talks, sql: Sql) -> None:
        item = await talks.item(await people.new("Murad"))
        reply = await client.post(f"/api/v1/listings/{item}/chat", json={"body": "Salam"})
        assert reply.status_code == 401
        assert await sql.value("SELECT count(*) FROM chats WHERE listing_id = $1", UUID(item)) == 0

    async def test_the_first_message_makes_the_chat(self, people: People, talks: Talks) -> None:
        seller, buyer = await people.new("Murad"), await people.new("Leyla")
        item = await talks.item(seller)
        reply = await buyer.post(f"/listings/{item}/chat", {"body": "  Salam!  ", "client_id": "one"})
        assert reply.status_code == 201
        chat, message = reply.json()["chat"], reply.json()["message"]
        assert (chat["listing_id"], chat["buyer_id"], chat["seller_id"]) == (item, buyer.id, seller.id)
        assert (chat["last_seq"], chat["unread_count"]) == (1, 0)
        assert message | {"id": 0, "created_at": 0} == {
            "id": 0,
            "chat_id": chat["id"],
            "seq": 1,
            "sender_id": buyer.id,
            "kind": "TEXT",
            "body": "Salam!",
            "client_id": "one",
            "created_at": 0,
            "words_erased_at": None,
        }
        assert message["created_at"].endswith("Z")

    async def test_a_second_call_goes_on_in_it(self, talks: Talks) -> None:
        talk = await talks.new()
        reply = await talk.buyer.post(f"/listings/{talk.listing_id}/chat", {"body": "Hello?"})
        assert reply.status_code == 201
        assert (reply.json()["chat"]["id"], reply.json()["message"]["seq"]) == (talk.id, 2)

    async def test_the_same_client_id_stores_nothing_new(self, people: People, talks: Talks, sql: Sql) -> None:
        buyer = await people.new()
        item = await talks.item(await people.new("Murad"))
        body = {"body": "Salam", "client_id": "same"}
        first, again = [(await buyer.post(f"/listings/{item}/chat", body)).json() for _ in range(2)]
        assert first["message"] == again["message"]
        assert await sql.value("SELECT count(*) FROM messages WHERE chat_id = $1", UUID(first["chat"]["id"])) == 1

    async def test_the_seller_cannot_start(self, people: People, talks: Talks, sql: Sql) -> None:
        seller = await people.new("Murad")
        item = await talks.item(seller)
        reply = await seller.post(f"/listings/{item}/chat", {"body": "Buy it!"})
        assert (reply.status_code, reply.json()["code"]) == (403, "seller_cannot_start")
        assert await sql.value("SELECT count(*) FROM chats WHERE listing_id = $1", UUID(item)) == 0

    async def test_a_listing_nobody_sees_is_not_there(self, people: People, talks: Talks, sql: Sql) -> None:
        item, buyer = await talks.item(await people.new("Murad")), await people.new()
        await sql.execute("UPDATE listings SET status = 'EXPIRED' WHERE id = $1", UUID(item))
        for path in (item, str(uuid4())):
            reply = await buyer.post(f"/listings/{path}/chat", {"body": "Salam"})
            assert (reply.status_code, reply.json()["code"]) == (404, "not_found")

    async def test_a_sold_item_takes_no_new_chats_but_old_ones_go_on(
        self, people: People, talks: Talks, sql: Sql
    ) -> None:
        talk = await talks.new()
        await sql.execute("UPDATE listings SET status = 'SOLD', sold_at = now() WHERE id = $1", UUID(talk.listing_id))
        late = await (await people.new()).post(f"/listings/{talk.listing_id}/chat", {"body": "Salam"})
        assert (late.status_code, late.json()["code"]) == (409, "listing_unavailable")
        assert (await talk.buyer.post(f"/listings/{talk.listing_id}/chat", {"body": "Thanks"})).status_code == 201

    @pytest.mark.parametrize(
        ("body", "pointer", "code"),
        [
            ({}, "/body", "required"),
            ({"body": "   "}, "/body", "too_short"),
            ({"body": "x" * 4001}, "/body", "too_long"),
            ({"body": "x\0y"}, "/body", "bad_format"),
            ({"body": "x", "client_id": "y" * 101}, "/client_id", "too_long"),
            ({"body": "x", "upload_id": str(uuid4())}, "/upload_id", "unknown_field"),
        ],
    )
    async def test_wrong_fields_are_named(
        self, people: People, talks: Talks, body: dict[str, str], pointer: str, code: str
    ) -> None:
        item, buyer = await talks.item(await people.new("Murad")), await people.new()
        reply = await buyer.post(f"/listings/{item}/chat", body)
        assert reply.status_code == 422
        assert [(item["pointer"], item["code"]) for item in reply.json()["errors"]] == [(pointer, code)]

    async def test_4000_letters_of_any_alphabet_fit(self, people: People, talks: Talks) -> None:
        item, buyer = await talks.item(await people.new("Murad")), await people.new()
        reply = await buyer.post(f"/listings/{item}/chat", {"body": "ə" * 4000})
        assert (reply.status_code, len(reply.json()["message"]["body"])) == (201, 4000)

    async def test_a_blocked_seller_s_listing_is_not_there(
        self, people: People, talks: Talks, runtime: Runtime
    ) -> None:
        seller, buyer = await people.new("Murad"), await people.new()
        item = await talks.item(seller)
        async with runtime.unit_of_work() as session:
            await users.block(session, UUID(seller.id))
        assert (await buyer.post(f"/listings/{item}/chat", {"body": "Salam"})).status_code == 404


class TestFiftyAtOnce:
    async def test_one_chat_with_fifty_messages(self, people: People, talks: Talks, sql: Sql) -> None:
        buyer, item = await people.new(), await talks.item(await people.new("Murad"))
        path = f"/listings/{item}/chat"
        replies = await asyncio.gather(*(buyer.post(path, {"body": f"message {n}"}) for n in range(50)))
        assert {reply.status_code for reply in replies} == {201}
        assert len({reply.json()["chat"]["id"] for reply in replies}) == 1
        assert sorted(reply.json()["message"]["seq"] for reply in replies) == list(range(1, 51))
        assert await sql.value("SELECT count(*) FROM chats WHERE listing_id = $1", UUID(item)) == 1

    async def test_with_one_client_id_it_is_one_message(self, people: People, talks: Talks, sql: Sql) -> None:
        buyer, item = await people.new(), await talks.item(await people.new("Murad"))
        body = {"body": "Salam", "client_id": "same"}
        replies = await asyncio.gather(*(buyer.post(f"/listings/{item}/chat", body) for _ in range(50)))
        assert {reply.status_code for reply in replies} == {201}
        assert len({reply.json()["message"]["id"] for reply in replies}) == 1
        assert (
            await sql.value("SELECT count(*) FROM messages WHERE chat_id = $1", UUID(replies[0].json()["chat"]["id"]))
            == 1
        )


class TestUnverified:
    async def test_may_not_write_where_addresses_must_be_verified(
        self, people: People, talks: Talks, runtime: Runtime, sql: Sql, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        talk = await talks.new()
        item, stranger = await talks.item(await people.new("Murad")), await people.new()
        strict = runtime.settings.model_copy(update={"require_verified_email": True})
        monkeypatch.setitem(runtime.adapters._by_port, Settings, strict)
        object.__setattr__(runtime, "settings", strict)
        try:
            first = await stranger.post(f"/listings/{item}/chat", {"body": "Salam"})
            later = await talk.buyer.post(f"/chats/{talk.id}/messages", {"body": "Salam"})
            await sql.execute("UPDATE users SET email_verified_at = now() WHERE id = $1", UUID(talk.seller.id))
            verified = await talk.seller.post(f"/chats/{talk.id}/messages", {"body": "Salam"})
        finally:
            object.__setattr__(
                runtime, "settings", runtime.settings.model_copy(update={"require_verified_email": False})
            )
        for reply in (first, later):
            assert (reply.status_code, reply.json()["code"]) == (403, "email_not_verified")
        assert verified.status_code == 201
        assert await sql.value("SELECT count(*) FROM chats WHERE listing_id = $1", UUID(item)) == 0
