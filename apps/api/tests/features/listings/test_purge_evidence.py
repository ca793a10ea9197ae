"""What moderators still look at stays whole, also when they begin to look while it is being purged."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from sqlalchemy import ColumnElement, Text, cast, false, func
from sqlalchemy.orm import InstrumentedAttribute

from memi.listings import jobs
from memi.listings.purging import Keeper, Keepers
from memi.parts import KEEPERS
from memi.platform.runtime import Runtime
from support.cases import Case, Cases
from support.cases import cases as cases
from support.people import People
from support.purges import Talked, deleted, for_sale, is_stub, is_whole, row, talked_of
from support.sql import Sql
from support.talks import talks as talks

LOCK = 4711


async def reported(cases: Cases, talk: Talked, kind: str) -> Case:
    """The buyer's report of the chat, or of what the seller wrote in it."""
    reply = await talk.seller.post(f"/chats/{talk.chat}/messages", {"body": "Pay me first.", "client_id": "1"})
    assert reply.status_code == 201, reply.text
    target = talk.chat if kind == "CHAT" else reply.json()["id"]
    return await cases.again(kind, target, talk.buyer, talk.seller, talk.chat)


@pytest.mark.parametrize("kind", ["CHAT", "MESSAGE"])
class TestAReportOfWhatWasSaidAboutIt:
    async def test_keeps_it_whole_while_it_is_open(
        self, people: People, cases: Cases, sql: Sql, runtime: Runtime, kind: str
    ) -> None:
        talk, other = await talked_of(people, sql), await talked_of(people, sql)
        case = await reported(cases, talk, kind)
        for listing in (talk, other):
            await deleted(listing.seller, sql, listing.id)
        await jobs.purge_deleted.run(runtime)
        assert await is_whole(sql, talk.id)
        assert await is_stub(sql, other.id), "nobody reported that chat"
        await case.decided(await people.moderator(), "DISMISS")
        await jobs.purge_deleted.run(runtime)
        assert await is_stub(sql, talk.id)

    async def test_and_while_its_decision_can_be_appealed_or_is(
        self, people: People, cases: Cases, sql: Sql, runtime: Runtime, kind: str
    ) -> None:
        moderator, colleague = await people.moderator(), await people.moderator()
        ended, appealed = await talked_of(people, sql), await talked_of(people, sql)
        opened = {talk.id: await reported(cases, talk, kind) for talk in (ended, appealed)}
        for talk in (ended, appealed):
            await opened[talk.id].decided(moderator, "WARN_USER")
            await deleted(talk.seller, sql, talk.id)
        await jobs.purge_deleted.run(runtime)
        assert await is_whole(sql, ended.id), "it can be appealed"
        appeal = await opened[appealed.id].appealed()
        await sql.execute("ALTER TABLE moderation_decisions DISABLE TRIGGER stay")
        await sql.execute("UPDATE moderation_decisions SET decided_at = decided_at - interval '31 days'")
        await sql.execute("ALTER TABLE moderation_decisions ENABLE TRIGGER stay")
        await jobs.purge_deleted.run(runtime)
        assert await is_stub(sql, ended.id)
        assert await is_whole(sql, appealed.id), "it is appealed"
        body = {"decision": "UPHOLD", "statement": "One does not ask for that."}
        assert (await colleague.post(f"/admin/appeals/{appeal}/decide", body)).status_code == 200
        await jobs.purge_deleted.run(runtime)
        assert await is_stub(sql, appealed.id)


def _waits(_: InstrumentedAttribute[UUID]) -> ColumnElement[bool]:
    """Never so; asking takes for as long as a test holds the lock."""
    return cast(func.pg_advisory_xact_lock_shared(LOCK), Text) == "held"


@pytest.fixture
async def slow(runtime: Runtime) -> AsyncIterator[None]:
    """While this lasts, the search for what is due takes for as long as a test likes."""
    runtime.adapters.set(Keepers, Keepers([*KEEPERS, Keeper(whole=_waits, stub=lambda _: false())]))
    yield
    runtime.adapters.set(Keepers, Keepers(KEEPERS))


@pytest.mark.usefixtures("slow")
class TestWhatHappensAfterItWasFoundToBeDue:
    async def test_wins(self, people: People, cases: Cases, sql: Sql, runtime: Runtime) -> None:
        moderator, admin = await people.moderator(), await people.admin()
        flagged, chatted, back, left = [await talked_of(people, sql) for _ in range(4)]
        for talk in (flagged, chatted, back, left):
            await deleted(talk.seller, sql, talk.id)
        async with sql.connection.transaction():
            await sql.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
            run = asyncio.ensure_future(jobs.purge_deleted.run(runtime))
            async with asyncio.timeout(10):
                while not await sql.value("SELECT count(*) FROM pg_locks WHERE objid = $1 AND NOT granted", LOCK):
                    await asyncio.sleep(0.02)
            reply = await moderator.post(f"/admin/listings/{flagged.id}/flags", {"kind": "STOLEN"})
            assert reply.status_code == 201
            await reported(cases, chatted, "CHAT")
            reply = await admin.post(f"/admin/listings/{back.id}/restore", {"reason": "Asked for by mail"})
            assert reply.status_code == 200
            assert not run.done()
        await run
        assert await is_whole(sql, flagged.id)
        assert await is_whole(sql, chatted.id)
        assert await is_whole(sql, back.id)
        assert await is_stub(sql, left.id)


async def test_either_it_is_gone_or_it_is_flagged(people: People, sql: Sql, runtime: Runtime) -> None:
    moderator, seller = await people.moderator(), await people.new()
    ends: set[int] = set()
    for number in range(30):
        listing = await for_sale(seller, sql, 1)
        await deleted(seller, sql, listing)

        async def flag(listing: str = listing, wait: float = max(0, number % 10 - 5) / 200) -> int:
            await asyncio.sleep(wait)
            return (await moderator.post(f"/admin/listings/{listing}/flags", {"kind": "STOLEN"})).status_code

        async def purge(wait: float = max(0, 5 - number % 10) / 200) -> None:
            await asyncio.sleep(wait)
            await jobs.purge_deleted.run(runtime)

        status, _ = await asyncio.gather(flag(), purge())
        assert status in (201, 404)
        assert (await row(sql, listing) is not None) == (status == 201)
        if status == 201:
            assert await is_whole(sql, listing)
        ends.add(status)
    assert ends == {201, 404}, "both sides won at times"
