"""Links and contact details are flagged for moderators, and never altered or held up."""

import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest

from memi.chat.suspicion import suspicions
from support.people import People
from support.sql import Sql
from support.talks import Talk, Talks

RunJobs = Callable[[], Awaitable[None]]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Salam! Hələ satılır?", ()),
        ("45000000 AZN is too much, 45 000 000 too", ()),
        ("21.11.2026 10:30, or 01.12.2026 18:00", ()),
        ("Size 38/40, 2024-cü il, 100% wool", ()),
        ("Bir dənə qalıb.Az sonra yazaram", ()),
        ("10 AZN @ the station", ()),
        ("Look at https://example.az/coat", ("LINK",)),
        ("www.example.az", ("LINK",)),
        ("EXAMPLE.COM", ("LINK",)),
        ("wa.me/994501234567", ("LINK", "CONTACT")),
        ("t.me/somebody", ("LINK",)),
        ("me@example.az", ("CONTACT",)),
        ("insta: @some_body", ("CONTACT",)),
        ("+994 (50) 123-45-67", ("CONTACT",)),
        ("Zəng elə 050 123 45 67", ("CONTACT",)),
        ("0501234567", ("CONTACT",)),
        ("055.12.11.2026", ("CONTACT",)),
        ("+994 50 12-34-5678", ("CONTACT",)),
        ("994501234567", ("CONTACT",)),
        ("21.11.2026 zəng: 055-123-45-67", ("CONTACT",)),
        ("see https://example.com, or write to me@example.com", ("LINK", "CONTACT")),
    ],
)
def test_what_looks_like_one(text: str, kinds: tuple[str, ...]) -> None:
    assert suspicions(text) == kinds


@pytest.mark.parametrize("text", [part * 2000 for part in ("0 ", "@@", "a.", "00", "++", "0(", "-.", "1.")])
def test_nothing_that_fits_a_message_takes_long(text: str) -> None:
    began = time.perf_counter()
    suspicions(text)
    assert time.perf_counter() - began < 0.1


async def flags(sql: Sql, talk: Talk) -> list[tuple[Any, ...]]:
    rows = await sql.rows(
        "SELECT m.body, f.kind, f.source FROM message_flags f JOIN messages m ON m.id = f.message_id"
        " WHERE m.chat_id::text = $1 ORDER BY m.seq, f.kind",
        talk.id,
    )
    return [tuple(row.values()) for row in rows]


async def test_a_flag_is_for_moderators_alone(talks: Talks, people: People, sql: Sql, run_jobs: RunJobs) -> None:
    talk = await talks.new()
    said = await talk.say(talk.seller, "Call 050 123 45 67")
    await talk.say(talk.seller, "Or do not")
    await run_jobs()
    assert await flags(sql, talk) == [("Call 050 123 45 67", "CONTACT", "RULE")]
    seen = (await talk.buyer.get(f"/chats/{talk.id}/messages")).json()["items"]
    assert [item["body"] for item in seen if item["id"] == said["id"]] == ["Call 050 123 45 67"]
    queue = (await (await people.moderator()).get("/admin/message-flags?limit=100")).json()["items"]
    assert [(item["source"], item["kind"]) for item in queue if item["message_id"] == said["id"]] == [
        ("RULE", "CONTACT")
    ]


async def _first(talk: Talk, text: str) -> None:
    reply = await talk.buyer.post(f"/listings/{talk.listing_id}/chat", {"body": text})
    assert reply.status_code == 201, reply.text


async def _under_a_key(talk: Talk, text: str) -> None:
    for _ in range(2):
        headers = {"Idempotency-Key": f"key-{talk.id}"}
        assert (await talk.buyer.post(f"/chats/{talk.id}/messages", {"body": text}, headers=headers)).status_code == 201


async def _twice(talk: Talk, text: str) -> None:
    client_id = uuid4().hex
    for _ in range(2):
        await talk.say(talk.buyer, text, client_id=client_id)


@pytest.mark.parametrize("way", [_first, _under_a_key, _twice])
async def test_however_it_was_sent_it_is_flagged_once(
    talks: Talks, sql: Sql, run_jobs: RunJobs, way: Callable[[Talk, str], Awaitable[None]]
) -> None:
    talk = await talks.new()
    await way(talk, "www.example.az")
    await run_jobs()
    assert await flags(sql, talk) == [("www.example.az", "LINK", "RULE")]


async def test_words_alone_cost_no_job(talks: Talks, sql: Sql) -> None:
    talk = await talks.new()
    count = "SELECT count(*) FROM pgqueuer WHERE entrypoint = 'chat.handlers.flag_suspected'"
    before = await sql.value(count)
    await talk.say(talk.buyer, "At six, then")
    assert await sql.value(count) == before
    await talk.say(talk.buyer, "me@example.az")
    assert await sql.value(count) == before + 1
