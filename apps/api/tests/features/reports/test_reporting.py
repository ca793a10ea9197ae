"""Who may report what, and what they hear of it."""

import asyncio
from collections import Counter
from uuid import UUID, uuid4

import httpx
import pytest

from support.cases import Cases
from support.people import People


class TestWhatCanBeSeen:
    @pytest.mark.parametrize("kind", ["LISTING", "USER", "CHAT", "MESSAGE"])
    async def test_can_be_reported(self, cases: Cases, kind: str) -> None:
        case = await cases.new(kind)
        row = await cases.row(case)
        assert (str(row["subject_id"]), row["status"]) == (case.subject.id, "OPEN")
        assert row["snapshot"] != "{}"

    async def test_anonymous(self, cases: Cases, client: httpx.AsyncClient, people: People) -> None:
        item, before = await cases.talks.item(await people.new()), await cases.count()
        body = {"target_type": "LISTING", "target_id": item, "reason": "SPAM"}
        reply = await client.post("/api/v1/reports", json=body)
        assert (reply.status_code, reply.json()["code"]) == (401, "not_authenticated")
        assert (await client.get("/api/v1/reports")).status_code == 401
        assert await cases.count() == before

    async def test_what_cannot_be_seen_is_not_there(self, cases: Cases, people: People) -> None:
        stranger, talk = await people.new(), await cases.talk()
        message = await talk.say(talk.seller)
        draft = await cases.talks.item(talk.seller, "EXPIRED")
        blocked = await people.new()
        await cases.sql.execute("UPDATE users SET is_blocked = true WHERE id = $1", UUID(blocked.id))
        before = await cases.count()
        for kind, target in (
            ("LISTING", draft),
            ("CHAT", talk.id),
            ("MESSAGE", message["id"]),
            ("USER", blocked.id),
            ("LISTING", str(uuid4())),
            ("USER", str(uuid4())),
            ("CHAT", str(uuid4())),
            ("MESSAGE", str(uuid4())),
        ):
            reply = await cases.report(stranger, kind, target)
            assert (reply.status_code, reply.json()["code"]) == (404, "not_found"), kind
        assert await cases.count() == before

    async def test_what_is_ones_own(self, cases: Cases) -> None:
        talk = await cases.talk()
        mine, before = await talk.say(talk.buyer), await cases.count()
        reply = await cases.report(talk.seller, "LISTING", talk.listing_id)
        assert (reply.status_code, reply.json()["code"]) == (403, "own_thing")
        reply = await cases.report(talk.buyer, "MESSAGE", mine["id"])
        assert (reply.status_code, reply.json()["code"]) == (403, "own_thing")
        reply = await cases.report(talk.buyer, "USER", talk.buyer.id)
        assert (reply.status_code, reply.json()["errors"][0]["code"]) == (422, "oneself")
        assert await cases.count() == before

    async def test_a_line_that_nobody_wrote(self, cases: Cases) -> None:
        talk = await cases.talk()
        assert (await talk.buyer.post(f"/listings/{talk.listing_id}/reservations")).status_code == 201
        line = await cases.sql.value("SELECT id FROM messages WHERE chat_id = $1 AND kind = 'SYSTEM'", UUID(talk.id))
        before = await cases.count()
        reply = await cases.report(talk.buyer, "MESSAGE", str(line))
        assert (reply.status_code, reply.json()["errors"][0]["code"]) == (422, "not_reportable")
        assert await cases.count() == before

    @pytest.mark.parametrize(
        "changes",
        [
            {"reason": "UGLY"},
            {"target_type": "ORDER"},
            {"reason": "OTHER"},
            {"details": "x" * 2001},
            {"details": "a\0b"},
            {"more": 1},
        ],
    )
    async def test_malformed(self, cases: Cases, people: People, changes: dict[str, object]) -> None:
        item, before = await cases.talks.item(await people.new()), await cases.count()
        body = {"target_type": "LISTING", "target_id": item, "reason": "SPAM", **changes}
        assert (await (await people.new()).post("/reports", body)).status_code == 422
        assert await cases.count() == before


class TestOneOpenReport:
    async def test_of_a_reporter_and_target(self, cases: Cases, people: People) -> None:
        case = await cases.new()
        again = await cases.report(case.reporter, "LISTING", case.target, reason="SPAM")
        assert (again.status_code, again.json()["code"], again.json()["report_id"]) == (409, "report_exists", case.id)
        assert (await cases.report(case.reporter, "USER", case.subject.id)).status_code == 201
        assert (await cases.report(await people.new(), "LISTING", case.target)).status_code == 201
        await case.decided(await people.moderator(), "DISMISS")
        assert (await cases.report(case.reporter, "LISTING", case.target)).status_code == 201

    async def test_however_many_are_sent_at_once(self, cases: Cases, people: People) -> None:
        item, reporter = await cases.talks.item(await people.new()), await people.new()
        before = await cases.count()
        replies = await asyncio.gather(*(cases.report(reporter, "LISTING", item) for _ in range(8)))
        assert Counter(reply.status_code for reply in replies) == {201: 1, 409: 7}
        made = next(reply.json()["id"] for reply in replies if reply.status_code == 201)
        assert {reply.json()["report_id"] for reply in replies if reply.status_code == 409} == {made}
        assert await cases.count() == before + 1


class TestOnesOwnReports:
    async def test_say_what_came_of_them_and_not_by_whom(self, cases: Cases, people: People) -> None:
        reporter, moderator = await people.new(), await people.moderator()
        first, second = await cases.new("USER", reporter), await cases.new("LISTING", reporter)
        assert (await first.claim(moderator)).status_code == 200
        waiting = (await reporter.get("/reports")).json()["items"]
        assert [(item["id"], item["status"], item["outcome"]) for item in waiting] == [
            (second.id, "OPEN", None),
            (first.id, "OPEN", None),
        ]
        await first.decided(moderator, "WARN_USER")
        await second.decided(moderator, "DISMISS")
        reply = await reporter.get("/reports")
        assert [item["outcome"] for item in reply.json()["items"]] == ["NO_ACTION", "ACTION_TAKEN"]
        assert moderator.id not in reply.text
        assert "statement" not in reply.text

    async def test_are_paged_and_nobody_elses(self, cases: Cases, people: People) -> None:
        reporter = await people.new()
        made = [(await cases.new("LISTING", reporter)).id for _ in range(3)]
        page = (await reporter.get("/reports?limit=2")).json()
        rest = (await reporter.get(f"/reports?limit=2&cursor={page['next_cursor']}")).json()
        assert [item["id"] for item in page["items"] + rest["items"]] == made[::-1]
        assert rest["next_cursor"] is None
        stranger = await people.new()
        assert (await stranger.get("/reports")).json()["items"] == []
        refused = await stranger.get(f"/reports?cursor={page['next_cursor']}")
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_cursor")
        assert (await reporter.get("/reports?status=OPEN")).status_code == 422
