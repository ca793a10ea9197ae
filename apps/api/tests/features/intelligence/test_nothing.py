"""With nothing plugged in memi does what it did, and nothing more."""

import threading
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx

from memi import parts
from memi.chat.events import MessageSent
from memi.intelligence.buffer import VerdictBuffer
from memi.listings.events import ListingMoved
from memi.media.events import UploadReady
from memi.platform.events import EventBus
from memi.platform.ids import new_id
from memi.platform.runtime import Runtime
from support.items import make_listing
from support.people import People
from support.sql import Sql
from support.talks import Talks

RunJobs = Callable[[], Awaitable[None]]
EVENTS: list[Any] = [
    ListingMoved(new_id(), new_id(), "publish", "DRAFT", "ACTIVE"),
    UploadReady(new_id(), new_id()),
    MessageSent(new_id(), new_id(), new_id()),
]


def asking() -> set[str]:
    """The names of all handlers that ask plug-ins."""
    return {item.name for item in _of_them().subscriptions}


def _of_them() -> EventBus:
    return EventBus([module for module in parts.HANDLERS if hasattr(module, "ASKS")])


async def test_no_event_becomes_a_job_for_plug_ins(runtime: Runtime) -> None:
    assert len(asking()) == 3
    awake = EventBus(parts.HANDLERS)
    assert {job.name for event in EVENTS for job in awake.durable_jobs(event)} >= asking()
    assert not {job.name for event in EVENTS for job in runtime.bus.durable_jobs(event)} & asking()


async def test_a_job_that_was_queued_before_a_plug_in_went_away_ends_quietly(
    people: People, sql: Sql, runtime: Runtime, talks: Talks, run_jobs: RunJobs
) -> None:
    seller = await people.new()
    item = await make_listing(seller, sql)
    talk = await talks.new()
    said = await talk.say(talk.seller)
    awake = _of_them()
    events = [
        ListingMoved(UUID(item["id"]), UUID(seller.id), "publish", "DRAFT", "ACTIVE"),
        UploadReady(UUID(item["images"][0]["id"]), UUID(seller.id)),
        MessageSent(UUID(said["id"]), UUID(talk.id), UUID(talk.seller.id)),
    ]
    for job in [job for event in events for job in awake.durable_jobs(event)]:
        await sql.execute(
            "INSERT INTO pgqueuer (priority, entrypoint, payload, execute_after, status)"
            " VALUES (0, $1, $2, now(), 'queued')",
            job.name,
            job.payload,
        )
    await run_jobs()
    assert await sql.value("SELECT count(*) FROM pgqueuer WHERE entrypoint = ANY($1)", sorted(asking())) == 0
    assert await sql.value("SELECT count(*) FROM dead_jobs") == 0
    for table in ("intelligence_verdicts", "message_flags", "listing_flags"):
        assert await sql.value(f"SELECT count(*) FROM {table}") == 0


async def test_there_is_no_thread_no_task_and_no_verdict(
    people: People, sql: Sql, runtime: Runtime, client: httpx.AsyncClient
) -> None:
    person = await people.new()
    item = await make_listing(person, sql)
    for path in ("/listings", "/users/me/recommendations", f"/listings/{item['id']}/category-suggestions"):
        assert (await person.get(path)).status_code == 200
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("intelligence")]
    assert runtime.adapters.get(VerdictBuffer).waiting == 0
    assert (await client.get("/health")).json()["dependencies"]["intelligence"]["status"] == "off"


async def test_nobody_advises(people: People, sql: Sql) -> None:
    seller = await people.new()
    item = await make_listing(seller, sql)
    reply = await seller.get(f"/listings/{item['id']}/price-advice")
    assert (reply.status_code, reply.json()["code"]) == (404, "no_price_advice")


async def test_the_feed_is_the_one_that_strangers_see(people: People, sql: Sql, client: httpx.AsyncClient) -> None:
    person = await people.new()
    for _ in range(3):
        await make_listing(person, sql)
    seen = (await person.get("/listings?limit=3")).json()
    strangers = (await client.get("/api/v1/listings?limit=3")).json()
    assert [item["id"] for item in seen["items"]] == [item["id"] for item in strangers["items"]]
    assert len(seen["items"]) == 3
