"""What plug-ins say about messages: moderators hear of it, the two in the chat never do."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any
from uuid import uuid4

import pytest

from features.intelligence.conftest import Verdicts
from support.people import People, Person
from support.plugins import Package
from support.sql import Sql
from support.talks import Talk, Talks

CODE = """
    from memi.intelligence.ports import Concern, Review

    SEEN = []

    class Moderator:
        def review(self, message):
            SEEN.append(message)
            text = message.text.lower()
            concerns = []
            if "whatsapp" in text:
                concerns.append(Concern(kind="CONTACT", note="says whatsapp"))
            if "idiot" in text:
                concerns.append(Concern(kind="ABUSE"))
            return Review(concerns=tuple(concerns))
"""
PACKAGES = [Package("chat-package", CODE, {"chat_moderator": "Moderator"}, "0.3")]
QUEUE = "/admin/message-flags"
RunJobs = Callable[[], Awaitable[None]]


async def flagged(moderator: Person, talk: Talk, query: str = "limit=100") -> list[dict[str, Any]]:
    reply = await moderator.get(f"{QUEUE}?{query}")
    assert reply.status_code == 200, reply.text
    return [item for item in reply.json()["items"] if item["chat_id"] == talk.id]


@pytest.fixture
async def bad(talks: Talks, people: People, run_jobs: RunJobs) -> tuple[Talk, dict[str, Any], Person, dict[str, Any]]:
    """A chat, what was said in it, a moderator, and the flag."""
    talk, moderator = await talks.new(), await people.moderator()
    said = await talk.say(talk.seller, "Write me on WhatsApp")
    await run_jobs()
    (flag,) = await flagged(moderator, talk)
    return talk, said, moderator, flag


class TestReview:
    async def test_a_concern_becomes_a_flag_and_the_message_stays_as_it_was(
        self, bad: tuple[Talk, dict[str, Any], Person, dict[str, Any]], verdicts: Verdicts
    ) -> None:
        talk, said, _, flag = bad
        assert (flag["kind"], flag["source"], flag["note"]) == ("CONTACT", "PLUGIN", "says whatsapp")
        assert (flag["message_id"], flag["seq"], flag["listing_id"]) == (said["id"], said["seq"], talk.listing_id)
        assert (flag["sender_id"], flag["resolved_at"]) == (talk.seller.id, None)
        (row,) = await verdicts(said["id"])
        assert (row["plugin"], row["plugin_version"], row["user_id"]) == ("chat-package", "0.3", talk.seller.id)
        assert json.loads(row["verdict"])["concerns"][0]["kind"] == "CONTACT"
        for person in (talk.buyer, talk.seller):
            items = (await person.get(f"/chats/{talk.id}/messages")).json()["items"]
            assert [item["body"] for item in items if item["id"] == said["id"]] == ["Write me on WhatsApp"]
            assert "flag" not in json.dumps(items)

    async def test_several_concerns_are_several_flags(self, talks: Talks, people: People, run_jobs: RunJobs) -> None:
        talk, moderator = await talks.new(), await people.moderator()
        await talk.say(talk.buyer, "WhatsApp, idiot")
        await run_jobs()
        assert {flag["kind"] for flag in await flagged(moderator, talk)} == {"CONTACT", "ABUSE"}
        assert [flag["kind"] for flag in await flagged(moderator, talk, "kind=ABUSE&limit=100")] == ["ABUSE"]

    async def test_harmless_words_leave_a_verdict_and_no_flag(
        self, talks: Talks, people: People, run_jobs: RunJobs, verdicts: Verdicts
    ) -> None:
        talk, moderator = await talks.new(), await people.moderator()
        said = await talk.say(talk.buyer, "At six then")
        await run_jobs()
        assert [row["outcome"] for row in await verdicts(said["id"])] == ["OK"]
        assert await flagged(moderator, talk) == []

    async def test_it_is_told_what_was_said_and_not_by_whom(self, talks: Talks, run_jobs: RunJobs) -> None:
        chat_package: Any = import_module("chat_package")
        talk = await talks.new()
        chat_package.SEEN.clear()
        await talk.say(talk.seller, "Hello")
        await run_jobs()
        told = [(item.text, item.number, item.by_seller) for item in chat_package.SEEN]
        assert ("Hello", 2, True) in told
        for person in (talk.buyer, talk.seller):
            assert person.id not in repr(chat_package.SEEN)

    async def test_lines_that_nobody_wrote_are_not_judged(
        self, talks: Talks, people: People, sql: Sql, run_jobs: RunJobs
    ) -> None:
        talk = await talks.new()
        reply = await talk.buyer.post(f"/listings/{talk.listing_id}/reservations")
        assert reply.status_code == 201, reply.text
        await run_jobs()
        count = "SELECT count(*) FROM intelligence_verdicts v JOIN messages m ON m.id = v.subject_id WHERE m.kind = $1"
        assert await sql.value(count, "SYSTEM") == 0
        assert await sql.value(count, "TEXT") > 0


class TestModerators:
    async def test_look_at_the_one_message_and_the_log_keeps_that(
        self, bad: tuple[Talk, dict[str, Any], Person, dict[str, Any]], sql: Sql
    ) -> None:
        _, said, moderator, flag = bad
        looks = "SELECT count(*) FROM audit_log WHERE action = 'message.look' AND target_id = $1"
        assert await sql.value(looks, said["id"]) == 0
        reply = await moderator.get(f"{QUEUE}/{flag['id']}/message")
        assert reply.status_code == 200, reply.text
        assert (reply.json()["body"], reply.json()["flag"]) == ("Write me on WhatsApp", flag)
        assert await sql.value(looks, said["id"]) == 1

    async def test_the_queue_has_no_words(self, bad: tuple[Talk, dict[str, Any], Person, dict[str, Any]]) -> None:
        _, said, moderator, _ = bad
        assert said["body"] not in (await moderator.get(f"{QUEUE}?limit=100")).text

    async def test_say_when_they_are_done(
        self, bad: tuple[Talk, dict[str, Any], Person, dict[str, Any]], sql: Sql
    ) -> None:
        talk, said, moderator, flag = bad
        reply = await moderator.post(f"{QUEUE}/{flag['id']}/resolve", {"reason": "Only where to meet"})
        assert reply.status_code == 200, reply.text
        assert reply.json()["resolved_at"] is not None
        assert await flagged(moderator, talk) == []
        assert [item["id"] for item in await flagged(moderator, talk, "status=RESOLVED&limit=100")] == [flag["id"]]
        (entry,) = await sql.rows(
            "SELECT reason, actor_id::text FROM audit_log WHERE action = 'message_flag.resolve' AND target_id = $1",
            said["id"],
        )
        assert (entry["reason"], entry["actor_id"]) == ("Only where to meet", moderator.id)
        for reply in (
            await moderator.post(f"{QUEUE}/{flag['id']}/resolve", {}),
            await moderator.get(f"{QUEUE}/{flag['id']}/message"),
        ):
            assert (reply.status_code, reply.json()["code"]) == (409, "flag_is_resolved")

    async def test_of_several_at_once_one_is_first(
        self, bad: tuple[Talk, dict[str, Any], Person, dict[str, Any]], people: People, sql: Sql
    ) -> None:
        _, said, _, flag = bad
        moderators = [await people.moderator() for _ in range(4)]
        replies = await asyncio.gather(*(one.post(f"{QUEUE}/{flag['id']}/resolve", {}) for one in moderators))
        assert sorted(reply.status_code for reply in replies) == [200, 409, 409, 409]
        resolved = "SELECT count(*) FROM audit_log WHERE action = 'message_flag.resolve' AND target_id = $1"
        assert await sql.value(resolved, said["id"]) == 1

    async def test_are_the_only_ones_who_may(
        self, bad: tuple[Talk, dict[str, Any], Person, dict[str, Any]], people: People, sql: Sql
    ) -> None:
        talk, _, moderator, flag = bad
        for person in (talk.seller, talk.buyer, await people.new("Stranger")):
            for reply in (
                await person.get(QUEUE),
                await person.get(f"{QUEUE}/{flag['id']}/message"),
                await person.post(f"{QUEUE}/{flag['id']}/resolve", {}),
            ):
                assert (reply.status_code, reply.json()["code"]) == (403, "permission_denied")
        assert [item["id"] for item in await flagged(moderator, talk)] == [flag["id"]]
        assert await sql.value("SELECT count(*) FROM audit_log WHERE after->>'flag_id' = $1", flag["id"]) == 0

    async def test_are_not_in_the_chat_themselves(
        self, talks: Talks, people: People, run_jobs: RunJobs, sql: Sql
    ) -> None:
        moderator = await people.moderator()
        talk = await talks.new(buyer=moderator)
        await talk.say(talk.seller, "You idiot")
        await run_jobs()
        (flag,) = await flagged(moderator, talk)
        for reply in (
            await moderator.get(f"{QUEUE}/{flag['id']}/message"),
            await moderator.post(f"{QUEUE}/{flag['id']}/resolve", {}),
        ):
            assert (reply.status_code, reply.json()["code"]) == (403, "not_impartial")
        assert len(await flagged(moderator, talk)) == 1

    async def test_page_through_the_queue(self, talks: Talks, people: People, run_jobs: RunJobs, sql: Sql) -> None:
        talk, moderator = await talks.new(), await people.moderator()
        for number in range(5):
            await talk.say(talk.buyer, f"idiot {number}")
        await run_jobs()
        everything = [item["id"] for item in (await moderator.get(f"{QUEUE}?limit=100")).json()["items"]]
        paged: list[str] = []
        query = "limit=2"
        while True:
            page = (await moderator.get(f"{QUEUE}?{query}")).json()
            paged += [item["id"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            query = f"limit=2&cursor={page['next_cursor']}"
        assert paged == everything
        assert len(paged) >= 5

    @pytest.mark.parametrize("query", ["status=SHUT", "kind=abuse", "limit=0", "nope=1", "cursor=x"])
    async def test_bad_questions(self, people: People, query: str) -> None:
        assert (await (await people.moderator()).get(f"{QUEUE}?{query}")).status_code == 422

    async def test_what_is_not_there(self, people: People) -> None:
        moderator = await people.moderator()
        for reply in (
            await moderator.get(f"{QUEUE}/{uuid4()}/message"),
            await moderator.post(f"{QUEUE}/{uuid4()}/resolve", {}),
        ):
            assert reply.status_code == 404
