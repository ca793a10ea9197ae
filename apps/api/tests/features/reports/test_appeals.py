"""One appeal for whom a decision affects, decided by somebody else, and undone with everything it did."""

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import pytest

from memi.auth import appeal_tickets
from support.cases import WHY, Case, Cases
from support.factors import grow_old
from support.people import PASSWORD, People, Person

RunJobs = Callable[[], Awaitable[None]]
WORDS = "The receipt shows that it is genuine."


async def decide(person: Person, appeal: str, decision: str, statement: str = WORDS) -> httpx.Response:
    return await person.post(f"/admin/appeals/{appeal}/decide", {"decision": decision, "statement": statement})


async def status_of(cases: Cases, appeal: str) -> str:
    return await cases.sql.value("SELECT status FROM moderation_appeals WHERE id = $1", UUID(appeal))


async def removed(cases: Cases, moderator: Person) -> Case:
    case = await cases.new()
    await case.decided(moderator, "REMOVE_LISTING")
    return case


class TestAppealing:
    async def test_once(self, cases: Cases, people: People) -> None:
        case = await removed(cases, await people.moderator())
        reply = await case.appeal(case.subject)
        assert (reply.status_code, reply.json()["status"], reply.json()["report_id"]) == (201, "OPEN", case.id)
        again = await case.appeal(case.subject, "Please!")
        assert (again.status_code, again.json()["code"]) == (409, "already_appealed")
        rows = await cases.sql.rows("SELECT text FROM moderation_appeals WHERE id = $1", UUID(reply.json()["id"]))
        assert [row["text"] for row in rows] == ["It is genuine."]

    async def test_once_however_many_reports_it_settled(self, cases: Cases, people: People) -> None:
        case = await cases.new()
        other = await cases.again("LISTING", case.target, await people.new(), case.subject)
        await case.decided(await people.moderator(), "REMOVE_LISTING")
        assert (await other.appeal(case.subject)).status_code == 201
        assert (await case.appeal(case.subject)).json()["code"] == "already_appealed"

    async def test_by_whom_it_affects_alone(self, cases: Cases, people: People, client: httpx.AsyncClient) -> None:
        case, before = await removed(cases, await people.moderator()), await cases.count("moderation_appeals")
        reply = await client.post(f"/api/v1/reports/{case.id}/appeal", json={"text": "It is genuine."})
        assert (reply.status_code, reply.json()["code"]) == (401, "not_authenticated")
        reply = await case.appeal(case.reporter)
        assert (reply.status_code, reply.json()["code"]) == (403, "not_yours_to_appeal")
        for person in (await people.new(), await people.moderator(), await people.admin()):
            reply = await case.appeal(person)
            assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
        assert (await case.subject.post(f"/reports/{uuid4()}/appeal", {"text": "Please!"})).status_code == 404
        assert await cases.count("moderation_appeals") == before

    async def test_not_what_came_to_nothing_or_may_yet_come(self, cases: Cases, people: People) -> None:
        """Whom a report is about does not hear of it by asking."""
        waiting, dismissed = await cases.new(), await cases.new()
        await dismissed.decided(await people.moderator(), "DISMISS")
        before = await cases.count("moderation_appeals")
        for case in (waiting, dismissed):
            assert (await case.appeal(case.subject)).status_code == 404
        assert await cases.count("moderation_appeals") == before

    async def test_within_thirty_days(self, cases: Cases, people: People) -> None:
        for days, expected in ((29, 201), (31, 409)):
            case = await removed(cases, await people.moderator())
            await cases.sql.execute(
                "ALTER TABLE moderation_decisions DISABLE TRIGGER stay;"
                f"UPDATE moderation_decisions SET decided_at = now() - interval '{days} days'"
                f" WHERE id = (SELECT decision_id FROM reports WHERE id = '{case.id}');"
                "ALTER TABLE moderation_decisions ENABLE TRIGGER stay"
            )
            reply = await case.appeal(case.subject)
            assert reply.status_code == expected
        assert reply.json()["code"] == "appeal_too_late"

    @pytest.mark.parametrize("body", [{}, {"text": "x"}, {"text": "x" * 2001}, {"text": "fine", "more": 1}])
    async def test_malformed(self, cases: Cases, people: People, body: dict[str, object]) -> None:
        case, before = await removed(cases, await people.moderator()), await cases.count("moderation_appeals")
        assert (await case.subject.post(f"/reports/{case.id}/appeal", body)).status_code == 422
        assert await cases.count("moderation_appeals") == before


class TestQueue:
    async def test_what_waits_oldest_first(self, cases: Cases, people: People) -> None:
        moderator, colleague = await people.moderator(), await people.moderator()
        made = [await (await removed(cases, moderator)).appealed() for _ in range(3)]
        page = (await colleague.get("/admin/appeals?limit=100")).json()["items"]
        assert [item["id"] for item in page if item["id"] in made] == made
        shown = next(item for item in page if item["id"] == made[0])
        assert (shown["text"], shown["decision"]["action"], shown["decision"]["decided_by"]) == (
            "It is genuine.", "REMOVE_LISTING", moderator.id,
        )  # fmt: skip
        assert (await decide(colleague, made[1], "UPHOLD")).status_code == 200
        waiting = [item["id"] for item in (await colleague.get("/admin/appeals?limit=100")).json()["items"]]
        assert made[1] not in waiting
        upheld = [
            item["id"] for item in (await colleague.get("/admin/appeals?limit=100&status=UPHELD")).json()["items"]
        ]
        assert made[1] in upheld
        first = (await colleague.get("/admin/appeals?limit=1")).json()
        second = (await colleague.get(f"/admin/appeals?limit=1&cursor={first['next_cursor']}")).json()
        assert first["items"][0]["id"] < second["items"][0]["id"]


class TestDeciding:
    async def test_never_by_whoever_took_the_decision(self, cases: Cases, people: People) -> None:
        for decider in (await people.moderator(), await people.admin()):
            case = await removed(cases, decider)
            appeal = await case.appealed()
            for decision in ("UPHOLD", "OVERTURN"):
                refused = await decide(decider, appeal, decision)
                assert (refused.status_code, refused.json()["code"]) == (403, "same_moderator")
            assert (await status_of(cases, appeal), await cases.listing_status(case)) == ("OPEN", "REMOVED")

    async def test_nor_by_whom_it_concerns(self, cases: Cases, people: People) -> None:
        reporter, subject, moderator = await people.moderator(), await people.moderator(), await people.moderator()
        case = await cases.new("LISTING", reporter, subject)
        await case.decided(moderator, "REMOVE_LISTING")
        appeal = await case.appealed()
        for person in (reporter, subject):
            refused = await decide(person, appeal, "OVERTURN")
            assert (refused.status_code, refused.json()["code"]) == (403, "not_impartial")
        assert (await status_of(cases, appeal), await cases.listing_status(case)) == ("OPEN", "REMOVED")

    async def test_upheld_it_stands(self, cases: Cases, people: People, run_jobs: RunJobs) -> None:
        case = await removed(cases, await people.moderator())
        appeal, colleague = await case.appealed(), await people.moderator()
        reply = await decide(colleague, appeal, "UPHOLD")
        assert (reply.status_code, reply.json()["status"], reply.json()["restored"]) == (200, "UPHELD", False)
        await run_jobs()
        assert await cases.listing_status(case) == "REMOVED"
        told = {item["event"]: json.loads(item["data"]) for item in await cases.told(case.subject)}
        assert (told["appeal.decided"]["status"], told["appeal.decided"]["statement"]) == ("UPHELD", WORDS)
        heard = {item["event"]: json.loads(item["data"]) for item in await cases.told(case.reporter)}
        assert heard["report.appeal_decided"]["outcome"] == "ACTION_TAKEN"
        assert WORDS not in json.dumps(heard)
        assert await cases.audited(appeal) == ["appeal.decide"]

    async def test_overturned_a_listing_is_back(self, cases: Cases, people: People, run_jobs: RunJobs) -> None:
        case = await removed(cases, await people.moderator())
        appeal, colleague = await case.appealed(), await people.moderator()
        reply = await decide(colleague, appeal, "OVERTURN")
        assert (reply.status_code, reply.json()["status"], reply.json()["restored"]) == (200, "OVERTURNED", True)
        assert await cases.listing_status(case) == "ACTIVE"
        assert await cases.audited(case.target) == ["listing.remove", "listing.restore"]
        await run_jobs()
        heard = {item["event"]: json.loads(item["data"]) for item in await cases.told(case.reporter)}
        assert heard["report.appeal_decided"]["outcome"] == "OVERTURNED"
        assert (await case.reporter.get("/reports")).json()["items"][0]["outcome"] == "OVERTURNED"
        known = (await colleague.get(f"/admin/users/{case.subject.id}/moderation")).json()
        assert (known["removed_listings"], known["overturned"]) == (0, 1)

    async def test_overturned_a_chat_is_open(self, cases: Cases, people: People) -> None:
        case = await cases.new("CHAT")
        await case.decided(await people.moderator(), "CLOSE_CHAT")
        appeal = await case.appealed()
        assert (await decide(await people.moderator(), appeal, "OVERTURN")).json()["restored"] is True
        for person in (case.reporter, case.subject):
            assert (await person.post(f"/chats/{case.chat}/messages", {"body": "Hello?"})).status_code == 201
        assert (await case.subject.get(f"/chats/{case.chat}")).json()["closed"] is False
        assert await cases.audited(case.target) == ["chat.close", "chat.reopen"]

    async def test_overturned_a_warning_no_longer_counts(self, cases: Cases, people: People) -> None:
        case, colleague = await cases.new("USER"), await people.moderator()
        await case.decided(await people.moderator(), "WARN_USER")
        assert (await decide(colleague, await case.appealed(), "OVERTURN")).status_code == 200
        known = (await colleague.get(f"/admin/users/{case.subject.id}/moderation")).json()
        assert (known["warnings"], known["overturned"]) == (0, 1)

    async def test_once(self, cases: Cases, people: People) -> None:
        case = await removed(cases, await people.moderator())
        appeal, colleague = await case.appealed(), await people.moderator()
        assert (await decide(colleague, appeal, "UPHOLD")).status_code == 200
        for person in (colleague, await people.admin()):
            refused = await decide(person, appeal, "OVERTURN")
            assert (refused.status_code, refused.json()["code"]) == (409, "appeal_decided")
        assert await cases.listing_status(case) == "REMOVED"
        assert (await decide(colleague, str(uuid4()), "UPHOLD")).status_code == 404
        assert (await colleague.post(f"/admin/appeals/{appeal}/decide", {"decision": "UPHOLD"})).status_code == 422

    async def test_what_changed_since_is_left_as_it_is(self, cases: Cases, people: People) -> None:
        """A colleague gave it back and another took it down for a reason of their own."""
        case, colleague, reason = (
            await removed(cases, await people.moderator()),
            await people.moderator(),
            {"reason": "New"},
        )
        appeal = await case.appealed()
        assert (await colleague.post(f"/admin/listings/{case.target}/restore", reason)).status_code == 200
        assert (await colleague.post(f"/admin/listings/{case.target}/remove", reason)).status_code == 200
        reply = await decide(colleague, appeal, "OVERTURN")
        assert (reply.status_code, reply.json()["restored"]) == (200, False)
        assert await cases.listing_status(case) == "REMOVED"

    async def test_what_is_back_already_stays(self, cases: Cases, people: People) -> None:
        case, colleague = await removed(cases, await people.moderator()), await people.moderator()
        appeal = await case.appealed()
        assert (await colleague.post(f"/admin/listings/{case.target}/restore", {})).status_code == 200
        reply = await decide(colleague, appeal, "OVERTURN")
        assert (reply.status_code, reply.json()["restored"]) == (200, False)
        assert await cases.listing_status(case) == "ACTIVE"


class TestBlocked:
    """Who is blocked cannot sign in, and still reads why and appeals."""

    async def blocked(self, cases: Cases, people: People) -> tuple[Case, str]:
        """A blocked person, and what signing in answers them with."""
        case = await cases.new("USER")
        await case.decided(await people.moderator(), "BLOCK_USER")
        return case, await self.ticket(case)

    async def ticket(self, case: Case) -> str:
        body = {"email": case.subject.email, "password": PASSWORD}
        refused = await case.subject.client.post("/api/v1/auth/login", json=body)
        assert (refused.status_code, refused.json()["code"]) == (403, "account_blocked")
        return refused.json()["appeal_token"]

    async def say(self, client: httpx.AsyncClient, token: str, text: str = "It was not me.") -> httpx.Response:
        return await client.post("/api/v1/reports/block/appeal", json={"appeal_token": token, "text": text})

    async def test_reads_why_and_appeals_once(self, cases: Cases, people: People, client: httpx.AsyncClient) -> None:
        case, token = await self.blocked(cases, people)
        why = (await client.post("/api/v1/reports/block", json={"appeal_token": token})).json()
        assert (why["report_id"], why["statement"], why["appeal_status"]) == (case.id, WHY, None)
        reply = await self.say(client, token)
        assert (reply.status_code, reply.json()["status"]) == (201, "OPEN")
        again = await self.say(client, token)
        assert (again.status_code, again.json()["code"]) == (409, "already_appealed")
        why = (await client.post("/api/v1/reports/block", json={"appeal_token": token})).json()
        assert why["appeal_status"] == "OPEN"

    async def test_overturned_the_account_may_act(
        self, cases: Cases, people: People, client: httpx.AsyncClient
    ) -> None:
        case, token = await self.blocked(cases, people)
        appeal = (await self.say(client, token)).json()["id"]
        assert (await decide(await people.moderator(), appeal, "OVERTURN")).json()["restored"] is True
        assert not await cases.is_blocked(case.subject)
        assert await cases.audited(case.subject.id) == ["user.block", "user.unblock"]
        body = {"email": case.subject.email, "password": PASSWORD}
        assert (await client.post("/api/v1/auth/login", json=body)).status_code == 200
        assert (await client.post("/api/v1/reports/block", json={"appeal_token": token})).status_code == 404

    async def test_needs_a_recent_proof(self, cases: Cases, people: People, client: httpx.AsyncClient) -> None:
        case, token = await self.blocked(cases, people)
        appeal, colleague = (await self.say(client, token)).json()["id"], await people.moderator()
        await grow_old(cases.sql, colleague)
        refused = await decide(colleague, appeal, "OVERTURN")
        assert (refused.status_code, refused.json()["code"]) == (403, "step_up_required")
        assert await cases.is_blocked(case.subject)
        assert await status_of(cases, appeal) == "OPEN"

    async def test_the_token_is_good_for_nothing_else(
        self, cases: Cases, people: People, client: httpx.AsyncClient
    ) -> None:
        case, token = await self.blocked(cases, people)
        before = await cases.count("moderation_appeals")
        headers = {"Authorization": f"Bearer {token}"}
        assert (await client.get("/api/v1/users/me", headers=headers)).status_code == 401
        for wrong in (case.subject.access_token, token[:-4] + "AAAA", "nonsense", "ü"):
            refused = await self.say(client, wrong)
            assert (refused.status_code, refused.json()["code"]) == (401, "invalid_appeal_token")
        wrong_password = {"email": case.subject.email, "password": "not that one at all"}
        refused = await client.post("/api/v1/auth/login", json=wrong_password)
        assert (refused.status_code, "appeal_token" in refused.json()) == (401, False)
        assert await cases.count("moderation_appeals") == before

    async def test_the_token_is_over_after_an_hour(
        self, cases: Cases, people: People, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        case, _ = await self.blocked(cases, people)
        for lifetime, expected in ((timedelta(seconds=5), 200), (timedelta(seconds=-1), 401)):
            monkeypatch.setattr(appeal_tickets, "LIFETIME", lifetime)
            token = await self.ticket(case)
            reply = await client.post("/api/v1/reports/block", json={"appeal_token": token})
            assert reply.status_code == expected

    async def test_a_block_that_nobody_decided(self, cases: Cases, client: httpx.AsyncClient) -> None:
        """As of accounts that were brought along blocked."""
        case = await cases.new("USER")
        await cases.sql.execute("UPDATE users SET is_blocked = true WHERE id = $1", UUID(case.subject.id))
        token = await self.ticket(case)
        assert (await client.post("/api/v1/reports/block", json={"appeal_token": token})).status_code == 404
        assert (await self.say(client, token)).status_code == 404
