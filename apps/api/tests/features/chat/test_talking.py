"""Sending, reading, blocking and archiving, as each kind of person."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from memi.platform.runtime import Runtime
from memi.users import service as users
from support.people import People, Person
from support.sql import Sql
from support.talks import Talk, Talks

Call = tuple[str, str, dict[str, Any] | None]
_CALLS: list[Call] = [
    ("GET", "", None),
    ("GET", "/messages", None),
    ("POST", "/messages", {"body": "Salam"}),
    ("POST", "/read", {"seq": 1}),
    ("PUT", "/block", None),
    ("DELETE", "/block", None),
    ("PUT", "/archive", None),
    ("DELETE", "/archive", None),
]


async def _everything(sql: Sql, talk: Talk) -> list[dict[str, Any]]:
    chats = await sql.rows("SELECT * FROM chats WHERE id = $1", UUID(talk.id))
    return chats + await sql.rows("SELECT * FROM messages WHERE chat_id = $1 ORDER BY seq", UUID(talk.id))


@pytest.mark.parametrize("call", _CALLS, ids=lambda call: f"{call[0]} {call[1]}")
class TestWhoMayNot:
    async def test_anonymous(self, client: httpx.AsyncClient, talks: Talks, sql: Sql, call: Call) -> None:
        method, path, body = call
        talk = await talks.new()
        before = await _everything(sql, talk)
        reply = await client.request(method, f"/api/v1/chats/{talk.id}{path}", json=body)
        assert (reply.status_code, reply.json()["code"]) == (401, "not_authenticated")
        assert await _everything(sql, talk) == before

    async def test_strangers_and_staff_see_nothing(self, people: People, talks: Talks, sql: Sql, call: Call) -> None:
        method, path, body = call
        talk = await talks.new()
        before = await _everything(sql, talk)
        for person in (await people.new("Stranger"), await people.moderator()):
            for chat_id in (talk.id, str(uuid4())):
                reply = await person.request(method, f"/chats/{chat_id}{path}", json=body)
                assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
        assert await _everything(sql, talk) == before


class TestSending:
    async def test_numbers_go_on(self, talks: Talks) -> None:
        talk = await talks.new()
        sent = [await talk.say(person, f"line {n}") for n, person in enumerate([talk.seller, talk.buyer, talk.seller])]
        assert [message["seq"] for message in sent] == [2, 3, 4]

    async def test_the_same_client_id_gives_what_is_stored(self, talks: Talks) -> None:
        talk = await talks.new()
        first = await talk.say(talk.seller, "yes", client_id="a")
        again = await talk.say(talk.seller, "another text", client_id="a")
        others = await talk.say(talk.buyer, "mine", client_id="a")
        assert (again, others["seq"]) == (first, 3)

    async def test_twenty_retries_at_once_store_one(self, talks: Talks) -> None:
        talk = await talks.new()
        sent = await asyncio.gather(*(talk.say(talk.seller, "yes", client_id="a") for _ in range(20)))
        assert {(message["id"], message["seq"]) for message in sent} == {(sent[0]["id"], 2)}

    async def test_four_senders_leave_no_gap(self, talks: Talks, sql: Sql) -> None:
        talk = await talks.new()

        async def chatter(person: Person) -> None:
            for number in range(25):
                await talk.say(person, f"line {number}")

        await asyncio.gather(*(chatter(person) for person in (talk.buyer, talk.seller) * 2))
        stored = await sql.rows("SELECT seq, created_at FROM messages WHERE chat_id = $1 ORDER BY seq", UUID(talk.id))
        assert [row["seq"] for row in stored] == list(range(1, 102))
        times = [row["created_at"] for row in stored]
        assert times == sorted(times)
        assert (await talk.seen_by(talk.buyer))["last_seq"] == 101

    async def test_a_blocked_person_s_words_end(self, talks: Talks, runtime: Runtime, sql: Sql) -> None:
        talk = await talks.new()
        async with runtime.unit_of_work() as session:
            await users.block(session, UUID(talk.seller.id))
        before = await _everything(sql, talk)
        by_them = await talk.seller.post(f"/chats/{talk.id}/messages", {"body": "Salam"})
        to_them = await talk.buyer.post(f"/chats/{talk.id}/messages", {"body": "Salam"})
        assert (by_them.status_code, by_them.json()["code"]) == (401, "invalid_token")
        assert (to_them.status_code, to_them.json()["code"]) == (409, "chat_closed")
        assert await _everything(sql, talk) == before


class TestBlocking:
    async def test_stops_both_sides_until_it_is_taken_back(self, talks: Talks, sql: Sql) -> None:
        talk = await talks.new()
        for _ in range(2):
            assert (await talk.seller.put(f"/chats/{talk.id}/block")).status_code == 204
        before = await _everything(sql, talk)
        for person in (talk.buyer, talk.seller):
            reply = await person.post(f"/chats/{talk.id}/messages", {"body": "Salam"})
            assert (reply.status_code, reply.json()["code"]) == (403, "chat_blocked")
        reply = await talk.buyer.post(f"/listings/{talk.listing_id}/chat", {"body": "Salam"})
        assert (reply.status_code, reply.json()["code"]) == (403, "chat_blocked")
        assert await _everything(sql, talk) == before
        seen = await talk.seen_by(talk.buyer)
        assert (seen["blocked_by_me"], seen["blocked_by_other"]) == (False, True)
        assert (await talk.buyer.delete(f"/chats/{talk.id}/block")).status_code == 204
        assert (await talk.buyer.post(f"/chats/{talk.id}/messages", {"body": "Salam"})).status_code == 403
        assert (await talk.seller.delete(f"/chats/{talk.id}/block")).status_code == 204
        await talk.say(talk.buyer)

    async def test_what_was_sent_before_can_still_be_confirmed(self, talks: Talks) -> None:
        talk = await talks.new()
        sent = await talk.say(talk.buyer, client_id="a")
        await talk.seller.put(f"/chats/{talk.id}/block")
        assert await talk.say(talk.buyer, client_id="a") == sent


class TestReading:
    async def test_unread_counts_what_came_since(self, talks: Talks) -> None:
        talk = await talks.new()
        await talk.say(talk.buyer)
        assert (await talk.seen_by(talk.seller))["unread_count"] == 2
        assert (await talk.seen_by(talk.buyer))["unread_count"] == 0
        reply = await talk.seller.post(f"/chats/{talk.id}/read", {"seq": 1})
        assert (reply.status_code, reply.json()["unread_count"], reply.json()["read_seq"]) == (200, 1, 1)
        assert (await talk.seen_by(talk.buyer))["other_read_seq"] == 1

    async def test_never_goes_back(self, talks: Talks) -> None:
        talk = await talks.new()
        await talk.say(talk.buyer)
        await talk.seller.post(f"/chats/{talk.id}/read", {"seq": 2})
        reply = await talk.seller.post(f"/chats/{talk.id}/read", {"seq": 1})
        assert (reply.status_code, reply.json()["read_seq"]) == (200, 2)

    async def test_answering_is_reading(self, talks: Talks) -> None:
        talk = await talks.new()
        await talk.say(talk.seller)
        assert (await talk.seen_by(talk.seller))["unread_count"] == 0

    async def test_what_is_not_written_cannot_be_read(self, talks: Talks) -> None:
        talk = await talks.new()
        for seq, code in ((2, "out_of_range"), (-1, "out_of_range"), ("x", "wrong_type")):
            reply = await talk.seller.post(f"/chats/{talk.id}/read", {"seq": seq})
            assert (reply.status_code, reply.json()["errors"][0]["code"]) == (422, code)
        assert (await talk.seen_by(talk.seller))["read_seq"] == 0


class TestMessages:
    async def test_both_ways(self, talks: Talks) -> None:
        talk = await talks.new()
        for number in range(2, 8):
            await talk.say(talk.seller, str(number))

        async def page(query: str) -> tuple[list[int], bool]:
            reply = await talk.buyer.get(f"/chats/{talk.id}/messages?{query}")
            assert reply.status_code == 200, reply.text
            return [message["seq"] for message in reply.json()["items"]], reply.json()["has_more"]

        assert await page("after_seq=0&limit=3") == ([1, 2, 3], True)
        assert await page("after_seq=3") == ([4, 5, 6, 7], False)
        assert await page("after_seq=7") == ([], False)
        assert await page("before_seq=4&limit=2") == ([3, 2], True)
        assert await page("before_seq=3") == ([2, 1], False)
        assert await page("limit=2") == ([7, 6], True)

    @pytest.mark.parametrize("query", ["after_seq=1&before_seq=5", "after_seq=x", "limit=101", "limit=0", "seq=1"])
    async def test_wrong_queries_are_refused(self, talks: Talks, query: str) -> None:
        talk = await talks.new()
        assert (await talk.buyer.get(f"/chats/{talk.id}/messages?{query}")).status_code == 422


class TestInbox:
    async def test_anonymous(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/api/v1/chats")).status_code == 401

    async def test_shows_what_there_is_to_know(self, people: People, talks: Talks) -> None:
        seller = await people.new("Murad")
        bought = await talks.new(buyer=seller)
        sold = await talks.new(seller=seller)
        items = (await seller.get("/chats")).json()["items"]
        assert [item["id"] for item in items] == [sold.id, bought.id]
        assert items[0]["other"] == {"id": sold.buyer.id, "name": "Leyla", "avatar_url": None}
        assert items[1]["other"]["id"] == bought.seller.id
        assert (items[0]["unread_count"], items[1]["unread_count"]) == (1, 0)
        assert items[0]["listing"]["id"] == sold.listing_id
        assert items[0]["listing"]["price"] == {"amount": 4500, "currency": "AZN"}
        assert items[0]["last_message"]["body"] == "Is it still there?"
        assert items[0] == await sold.seen_by(seller)

    async def test_pages_neither_skip_nor_repeat(self, people: People, talks: Talks) -> None:
        seller = await people.new("Murad")
        made = [(await talks.new(seller=seller)).id for _ in range(5)]
        seen: list[str] = []
        cursor = ""
        for size in (2, 2, 1):
            page = (await seller.get(f"/chats?limit=2{cursor}")).json()
            seen += [item["id"] for item in page["items"]]
            assert len(page["items"]) == size
            await talks.new(seller=seller)
            cursor = f"&cursor={page['next_cursor']}"
        assert seen == made[::-1]
        assert page["next_cursor"] is None

    async def test_a_cursor_is_its_owner_s(self, people: People, talks: Talks) -> None:
        seller, other = await people.new("Murad"), await people.new()
        for _ in range(2):
            await talks.new(seller=seller)
        cursor = (await seller.get("/chats?limit=1")).json()["next_cursor"]
        assert cursor is not None
        for person, value in ((other, cursor), (seller, "nonsense")):
            reply = await person.get(f"/chats?cursor={value}")
            assert (reply.status_code, reply.json()["code"]) == (422, "invalid_cursor")

    async def test_archiving_is_for_one_side_until_the_next_message(self, talks: Talks) -> None:
        talk = await talks.new()
        assert (await talk.seller.put(f"/chats/{talk.id}/archive")).status_code == 204

        async def shelf(person: Person, archived: str) -> list[str]:
            return [item["id"] for item in (await person.get(f"/chats?archived={archived}")).json()["items"]]

        assert (await shelf(talk.seller, "false"), await shelf(talk.seller, "true")) == ([], [talk.id])
        assert (await shelf(talk.buyer, "false"), await shelf(talk.buyer, "true")) == ([talk.id], [])
        assert (await talk.seller.delete(f"/chats/{talk.id}/archive")).status_code == 204
        assert await shelf(talk.seller, "false") == [talk.id]
        await talk.seller.put(f"/chats/{talk.id}/archive")
        await talk.say(talk.buyer)
        assert await shelf(talk.seller, "false") == [talk.id]
