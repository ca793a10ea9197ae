"""What somebody may still have to read is erased only when they are done with it."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from memi.chat import flag_queries
from memi.chat.erasing import Erasing, HeldBackBy, erase_some, erase_words, left
from memi.platform.ids import new_id
from memi.platform.jobs import Postponed
from memi.platform.runtime import Runtime
from memi.reports.appeals import WITHIN
from support.cases import Case, Cases
from support.leaving import Leaving
from support.orders import Orders, Purchase
from support.paying import Paying
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

    async def waits(self, request: UUID, person: Person, *because: HeldBackBy) -> None:
        """The job did what it could, and comes back for the rest within hours."""
        with pytest.raises(Postponed) as postponed:
            await erase_words.run(Erasing(request), self.runtime)
        assert timedelta(minutes=1) < postponed.value.delay <= timedelta(hours=6)
        async with self.runtime.unit_of_work() as session:
            assert await left(session, UUID(person.id)) == (True, list(because or ["REPORT"]))

    async def finishes(self, request: UUID, person: Person) -> None:
        await erase_words.run(Erasing(request), self.runtime)
        async with self.runtime.unit_of_work() as session:
            assert await left(session, UUID(person.id)) == (False, [])

    async def looked_at(self, chat_id: str, person: Person) -> list[str]:
        rows = await self.sql.rows(
            "SELECT because FROM chats_looked_at(ARRAY[$1::uuid], $2)", UUID(chat_id), UUID(person.id)
        )
        return [row["because"] for row in rows]

    async def flagged(self, message_id: str) -> None:
        async with self.runtime.unit_of_work() as session:
            assert await flag_queries.add(session, UUID(message_id), "RUDE", "PLUGIN", None)

    async def open_flags(self, chat_id: str) -> list[dict[str, Any]]:
        return await self.sql.rows(
            "SELECT id FROM message_flags WHERE chat_id = $1 AND resolved_at IS NULL", UUID(chat_id)
        )

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
        await desk.waits(request, case.subject)
        await desk.decided_ago(case, WITHIN + timedelta(minutes=1))
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
        await desk.waits(request, case.reporter)
        await desk.decided_ago(case, WITHIN + timedelta(minutes=1))
        await desk.finishes(request, case.reporter)

    async def test_of_something_else_hold_nothing_back(self, desk: Desk, cases: Cases) -> None:
        talk = await cases.talks.new()
        await cases.again("USER", talk.buyer.id, talk.seller, talk.buyer)
        await desk.leaving.gone(talk.buyer)
        await desk.finishes(await desk.leaving.asked(talk.buyer), talk.buyer)


class TestDecisions:
    @pytest.mark.parametrize("action", ["DISMISS", "CLOSE_CHAT"])
    async def test_hold_back_for_as_long_as_they_can_be_appealed(
        self, desk: Desk, cases: Cases, people: People, action: str
    ) -> None:
        case = await cases.new("CHAT")
        await case.decided(await people.moderator(), action)
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


class TestFlags:
    async def test_that_are_open_hold_back_their_chat(self, desk: Desk, cases: Cases, people: People) -> None:
        talk, other = await cases.talks.new(), await cases.talks.new()
        bad = await talk.say(talk.buyer, "Call me on +994 50 111 22 33")
        await desk.flagged(bad["id"])
        again = await cases.talks.new(buyer=talk.buyer, seller=other.seller)
        await desk.leaving.gone(talk.buyer)
        request = await desk.leaving.asked(talk.buyer)
        await desk.waits(request, talk.buyer, "FLAG")
        assert await desk.bodies(talk.id) == ["Is it still there?", "Call me on +994 50 111 22 33"]
        assert await desk.bodies(again.id) == [""]

        moderator = await people.moderator()
        for row in await desk.open_flags(talk.id):
            reply = await moderator.post(f"/admin/message-flags/{row['id']}/resolve", {"reason": "Harmless"})
            assert reply.status_code == 200, reply.text
        await desk.finishes(request, talk.buyer)
        assert await desk.bodies(talk.id) == ["", ""]

    async def test_on_what_the_other_one_said_hold_nothing_back(self, desk: Desk, cases: Cases) -> None:
        talk = await cases.talks.new()
        await desk.flagged((await talk.say(talk.seller, "Write to me elsewhere"))["id"])
        await desk.leaving.gone(talk.buyer)
        await desk.finishes(await desk.leaving.asked(talk.buyer), talk.buyer)
        assert await desk.bodies(talk.id) == ["", "Write to me elsewhere"]

    async def test_know_the_chat_of_their_message_whatever_was_written(self, desk: Desk, cases: Cases) -> None:
        talk, other = await cases.talks.new(), await cases.talks.new()
        message = await desk.sql.value("SELECT id FROM messages WHERE chat_id = $1", UUID(talk.id))
        await desk.flagged(str(message))
        await desk.sql.execute("UPDATE message_flags SET chat_id = $1 WHERE message_id = $2", UUID(other.id), message)
        assert (await desk.open_flags(other.id), len(await desk.open_flags(talk.id))) == ([], 1)


class TestOrders:
    async def _talked(self, desk: Desk, purchase: Purchase) -> str:
        reply = await purchase.buyer.post(f"/listings/{purchase.item}/chat", {"body": "When will it come?"})
        assert reply.status_code in {200, 201}, reply.text
        return reply.json()["chat"]["id"]

    @pytest.mark.usefixtures("payments")
    async def test_that_are_paid_hold_back_their_chat_until_the_buyer_has_the_item(
        self, desk: Desk, orders: Orders, paying: Paying
    ) -> None:
        purchase = await orders.new()
        chat = await self._talked(desk, purchase)
        assert (await purchase.read())["status"] == "AWAITING_PAYMENT"
        assert await desk.looked_at(chat, purchase.buyer) == ["ORDER"]
        await paying.begins(purchase)
        assert await paying.succeeds(purchase) == "applied"
        await desk.leaving.gone(purchase.buyer)
        request = await desk.leaving.asked(purchase.buyer)
        await desk.waits(request, purchase.buyer, "ORDER")
        assert "When will it come?" in await desk.bodies(chat)
        await purchase.must(purchase.seller, "complete")
        await desk.finishes(request, purchase.buyer)
        assert "When will it come?" not in await desk.bodies(chat)

    @pytest.mark.usefixtures("payments")
    async def test_whose_money_has_not_come_back_hold_back_too(
        self, desk: Desk, orders: Orders, paying: Paying
    ) -> None:
        purchase = await orders.new()
        chat = await self._talked(desk, purchase)
        await paying.begins(purchase)
        await purchase.must(purchase.buyer, "cancel")
        assert await desk.looked_at(chat, purchase.buyer) == []
        assert await paying.succeeds(purchase) == "refund_requested"
        await desk.leaving.gone(purchase.buyer)
        request = await desk.leaving.asked(purchase.buyer)
        await desk.waits(request, purchase.buyer, "ORDER")
        assert await paying.refunds(purchase) == "applied"
        await desk.finishes(request, purchase.buyer)
        assert "When will it come?" not in await desk.bodies(chat)

    async def test_hand_to_hand_hold_nothing_back(self, desk: Desk, orders: Orders) -> None:
        purchase = await orders.new()
        chat = await self._talked(desk, purchase)
        assert await desk.looked_at(chat, purchase.buyer) == []


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

    async def test_a_flag_that_is_being_raised_is_waited_for(
        self, desk: Desk, cases: Cases, sql: Sql, runtime: Runtime
    ) -> None:
        talk = await cases.talks.new()
        message = await sql.value("SELECT id FROM messages WHERE chat_id = $1", UUID(talk.id))
        await desk.leaving.gone(talk.buyer)
        request = await desk.leaving.asked(talk.buyer)

        async def erase() -> tuple[int, frozenset[HeldBackBy]]:
            async with runtime.unit_of_work() as session:
                done = await erase_some(session, request)
            return done.messages, done.held_back_by

        async with runtime.unit_of_work() as session:
            assert await flag_queries.add(session, message, "RUDE", "PLUGIN", None)
            erasing = asyncio.create_task(erase())
            done, _ = await asyncio.wait({erasing}, timeout=0.5)
            assert not done, "it did not wait for the flag"
        assert await erasing == (0, {"FLAG"})
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
