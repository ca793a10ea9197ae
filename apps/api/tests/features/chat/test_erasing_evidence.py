"""What moderators may still have to read is erased only when they are done with it."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from memi.chat.erasing import Erasing, erase_some, erase_words, left
from memi.platform.ids import new_id
from memi.platform.jobs import Postponed
from memi.platform.runtime import Runtime
from memi.reports.appeals import WITHIN
from support.cases import Case, Cases
from support.leaving import Leaving
from support.people import People, Person
from support.sql import Sql

REPORT = """
INSERT INTO reports (id, reporter_id, subject_id, target_type, target_id, chat_id, reason, snapshot)
VALUES ($1, $2, $3, 'CHAT', $4, $4, 'SCAM', '{}')
"""


class Desk:
    """Somebody who is gone, whose words are asked to be erased."""

    def __init__(self, leaving: Leaving, runtime: Runtime, sql: Sql) -> None:
        self.leaving, self.runtime, self.sql = leaving, runtime, sql

    async def bodies(self, chat_id: str) -> list[str]:
        rows = await self.sql.rows("SELECT body FROM messages WHERE chat_id = $1 ORDER BY seq", UUID(chat_id))
        return [row["body"] for row in rows]

    async def waits(self, request: UUID, person: Person) -> None:
        """The job did what it could, and comes back for the rest within hours."""
        with pytest.raises(Postponed) as postponed:
            await erase_words.run(Erasing(request), self.runtime)
        assert timedelta(minutes=1) < postponed.value.delay <= timedelta(hours=6)
        async with self.runtime.unit_of_work() as session:
            assert await left(session, UUID(person.id)) == (True, True)

    async def finishes(self, request: UUID, person: Person) -> None:
        await erase_words.run(Erasing(request), self.runtime)
        async with self.runtime.unit_of_work() as session:
            assert await left(session, UUID(person.id)) == (False, False)

    async def decided_ago(self, case: Case, age: timedelta) -> None:
        await self.sql.execute("ALTER TABLE moderation_decisions DISABLE TRIGGER stay")
        await self.sql.execute(
            "UPDATE moderation_decisions SET decided_at = now() - $2::interval"
            " WHERE id = (SELECT decision_id FROM reports WHERE id = $1)",
            UUID(case.id),
            age,
        )
        await self.sql.execute("ALTER TABLE moderation_decisions ENABLE TRIGGER stay")


@pytest.fixture
def desk(leaving: Leaving, runtime: Runtime, sql: Sql) -> Desk:
    return Desk(leaving, runtime, sql)


class TestOpenReports:
    @pytest.mark.parametrize("kind", ["CHAT", "MESSAGE"])
    async def test_hold_back_their_chat_and_no_other(self, desk: Desk, cases: Cases, people: People, kind: str) -> None:
        case = await cases.new(kind)
        assert case.chat is not None
        other = await cases.talks.new(seller=case.subject)
        await other.say(case.subject, "In another chat")
        await desk.leaving.gone(case.subject)
        request = await desk.leaving.asked(case.subject)
        await desk.waits(request, case.subject)
        assert await desk.bodies(case.chat) == ["Is it still there?", "Send the money first."]
        assert await desk.bodies(other.id) == ["Is it still there?", ""]

        moderator = await people.moderator()
        assert (await case.claim(moderator)).status_code == 200
        read = await moderator.get(f"/admin/reports/{case.id}/messages")
        assert [item["body"] for item in read.json()["items"]] == ["Send the money first.", "Is it still there?"]
        assert (await case.resolve(moderator, "DISMISS", None)).status_code == 200
        await desk.finishes(request, case.subject)
        assert await desk.bodies(case.chat) == ["Is it still there?", ""]

    async def test_by_who_is_gone_hold_back_what_they_said(self, desk: Desk, cases: Cases, people: People) -> None:
        case = await cases.new("CHAT")
        assert case.chat is not None
        await desk.leaving.gone(case.reporter)
        request = await desk.leaving.asked(case.reporter)
        await desk.waits(request, case.reporter)
        assert await desk.bodies(case.chat) == ["Is it still there?", "Send the money first."]
        await case.decided(await people.moderator(), "DISMISS")
        await desk.finishes(request, case.reporter)

    async def test_of_something_else_hold_nothing_back(self, desk: Desk, cases: Cases) -> None:
        talk = await cases.talks.new()
        await cases.again("USER", talk.buyer.id, talk.seller, talk.buyer)
        await desk.leaving.gone(talk.buyer)
        await desk.finishes(await desk.leaving.asked(talk.buyer), talk.buyer)


class TestDecisions:
    async def test_hold_back_for_as_long_as_they_can_be_appealed(
        self, desk: Desk, cases: Cases, people: People
    ) -> None:
        case = await cases.new("CHAT")
        await case.decided(await people.moderator(), "CLOSE_CHAT")
        await desk.leaving.gone(case.reporter)
        request = await desk.leaving.asked(case.reporter)
        await desk.decided_ago(case, WITHIN - timedelta(minutes=1))
        await desk.waits(request, case.reporter)
        await desk.decided_ago(case, WITHIN + timedelta(minutes=1))
        await desk.finishes(request, case.reporter)

    async def test_that_are_appealed_hold_back_until_that_is_decided(
        self, desk: Desk, cases: Cases, people: People
    ) -> None:
        case = await cases.new("CHAT")
        await case.decided(await people.moderator(), "WARN_USER")
        appeal = await case.appealed()
        await desk.leaving.gone(case.reporter)
        request = await desk.leaving.asked(case.reporter)
        await desk.decided_ago(case, 2 * WITHIN)
        await desk.waits(request, case.reporter)
        reply = await (await people.moderator()).post(
            f"/admin/appeals/{appeal}/decide", {"decision": "UPHOLD", "statement": "It was clear."}
        )
        assert reply.status_code == 200, reply.text
        await desk.finishes(request, case.reporter)


class TestAtOnce:
    async def test_a_report_that_is_being_made_is_waited_for(
        self, desk: Desk, cases: Cases, sql: Sql, runtime: Runtime
    ) -> None:
        talk = await cases.talks.new()
        await desk.leaving.gone(talk.buyer)
        request = await desk.leaving.asked(talk.buyer)

        async def erase() -> int:
            async with runtime.unit_of_work() as session:
                return (await erase_some(session, request)).messages

        async with sql.connection.transaction():
            await sql.execute(REPORT, new_id(), UUID(talk.seller.id), UUID(talk.buyer.id), UUID(talk.id))
            erasing = asyncio.create_task(erase())
            done, _ = await asyncio.wait({erasing}, timeout=0.5)
            assert not done, "it did not wait for the report"
        assert await erasing == 0
        assert await desk.bodies(talk.id) == ["Is it still there?"]

    async def test_who_reports_what_is_being_erased_waits(
        self, desk: Desk, cases: Cases, sql: Sql, runtime: Runtime
    ) -> None:
        talk = await cases.talks.new()
        await desk.leaving.gone(talk.buyer)
        request = await desk.leaving.asked(talk.buyer)
        async with runtime.unit_of_work() as session:
            assert (await erase_some(session, request)).messages == 1
            report = asyncio.create_task(cases.report(talk.seller, "CHAT", talk.id, details="He lied"))
            done, _ = await asyncio.wait({report}, timeout=0.5)
            assert not done, "the report slipped in"
        assert (await report).status_code == 201
        assert await desk.bodies(talk.id) == [""]
