"""What staff do without a report is decided all the same: with a statement, one appeal, and undone by a colleague."""

import json
from collections.abc import Awaitable, Callable
from uuid import UUID

import httpx
import pytest

from support.cases import Cases
from support.people import PASSWORD, People, Person

RunJobs = Callable[[], Awaitable[None]]
WHY = "It is a counterfeit, which our rules forbid."
GENUINE = "The receipt shows that it is genuine."


async def remove(staff: Person, item: str, reason: str = WHY) -> httpx.Response:
    return await staff.post(f"/admin/listings/{item}/remove", {"reason": reason})


async def block(staff: Person, person: Person, reason: str = WHY) -> httpx.Response:
    return await staff.post(f"/admin/users/{person.id}/block", {"reason": reason})


async def overturn(person: Person, appeal: str) -> httpx.Response:
    return await person.post(f"/admin/appeals/{appeal}/decide", {"decision": "OVERTURN", "statement": GENUINE})


async def said(cases: Cases, person: Person) -> list[dict[str, str]]:
    """What their decisions tell them."""
    told = await cases.told(person)
    return [json.loads(item["data"]) for item in told if item["event"] == "moderation.decided"]


async def events(cases: Cases, person: Person) -> list[str]:
    return [item["event"] for item in await cases.told(person)]


async def appeal(person: Person, report: str) -> httpx.Response:
    return await person.post(f"/reports/{report}/appeal", {"text": "I have the receipt."})


async def status(cases: Cases, item: str) -> str:
    return await cases.sql.value("SELECT status FROM listings WHERE id = $1", UUID(item))


class TestRemoving:
    async def test_the_seller_hears_once_with_the_reason_and_a_colleague_can_undo_it(
        self, cases: Cases, people: People, run_jobs: RunJobs
    ) -> None:
        seller, moderator, colleague = await people.new("Murad"), await people.moderator(), await people.moderator()
        item = await cases.talks.item(seller)
        assert (await remove(moderator, item)).status_code == 200
        await run_jobs()
        assert await events(cases, seller) == ["moderation.decided"]
        (told,) = await said(cases, seller)
        assert (told["action"], told["statement"], told["listing_id"]) == ("REMOVE_LISTING", WHY, item)
        assert moderator.id not in json.dumps(told)
        assert await cases.told(moderator) == [], "whoever decided is not answered as a reporter"

        made = await appeal(seller, told["report_id"])
        assert made.status_code == 201, made.text
        assert (await appeal(seller, told["report_id"])).json()["code"] == "already_appealed"
        (waiting,) = [
            one for one in (await colleague.get("/admin/appeals")).json()["items"] if one["id"] == made.json()["id"]
        ]
        assert (waiting["target_id"], waiting["decision"]["statement"]) == (item, WHY)
        refused = await overturn(moderator, waiting["id"])
        assert (refused.status_code, refused.json()["code"]) == (403, "same_moderator")
        assert await status(cases, item) == "REMOVED"
        done = await overturn(colleague, waiting["id"])
        assert (done.status_code, done.json()["restored"]) == (200, True)
        assert await status(cases, item) == "ACTIVE"
        assert await cases.audited(item) == ["listing.remove", "listing.restore"]

    async def test_what_staff_restored_already_is_not_restored_by_an_appeal(
        self, cases: Cases, people: People, run_jobs: RunJobs
    ) -> None:
        """Nor is a later removal undone by an appeal against an earlier one."""
        seller, moderator, colleague = await people.new("Murad"), await people.moderator(), await people.moderator()
        item = await cases.talks.item(seller)
        await remove(moderator, item)
        await run_jobs()
        first = (await appeal(seller, (await said(cases, seller))[0]["report_id"])).json()["id"]
        assert (await moderator.post(f"/admin/listings/{item}/restore", {})).status_code == 200
        assert (await remove(moderator, item, "Again.")).status_code == 200
        done = await overturn(colleague, first)
        assert (done.status_code, done.json()["restored"]) == (200, False)
        assert await status(cases, item) == "REMOVED"
        await run_jobs()
        second = (await appeal(seller, (await said(cases, seller))[1]["report_id"])).json()["id"]
        assert (await overturn(colleague, second)).json()["restored"] is True
        assert await status(cases, item) == "ACTIVE"

    async def test_a_refused_removal_decides_nothing(self, cases: Cases, people: People, run_jobs: RunJobs) -> None:
        seller, moderator = await people.new("Murad"), await people.moderator()
        item = await cases.talks.item(seller)
        await remove(moderator, item)
        before = await cases.count("moderation_decisions"), await cases.count()
        assert (await remove(moderator, item)).json()["code"] == "illegal_transition"
        assert (await remove(seller, item)).status_code == 403
        many = await moderator.post("/admin/bulk/listings", {"action": "REMOVE", "ids": [item], "reason": WHY})
        assert many.json()["refused"] == 1, many.text
        await run_jobs()
        assert (await cases.count("moderation_decisions"), await cases.count()) == before
        assert len(await said(cases, seller)) == 1

    async def test_many_at_once_are_a_decision_each(self, cases: Cases, people: People, run_jobs: RunJobs) -> None:
        seller, moderator = await people.new("Murad"), await people.moderator()
        items = [await cases.talks.item(seller) for _ in range(3)]
        reply = await moderator.post("/admin/bulk/listings", {"action": "REMOVE", "ids": items, "reason": WHY})
        assert reply.json()["done"] == 3, reply.text
        await run_jobs()
        assert {one["target_id"] for one in await said(cases, seller)} == set(items)

    async def test_of_ones_own_is_no_decision(self, cases: Cases, people: People) -> None:
        moderator, before = await people.moderator(), await cases.count("moderation_decisions")
        item = await cases.talks.item(moderator)
        assert (await remove(moderator, item)).status_code == 200
        assert await cases.count("moderation_decisions") == before

    async def test_it_settles_what_others_reported_and_counts_as_nobodys_report(
        self, cases: Cases, people: People, run_jobs: RunJobs
    ) -> None:
        case, moderator = await cases.new(), await people.moderator()
        own = await cases.again("LISTING", case.target, moderator, case.subject)
        assert (await remove(moderator, case.target)).status_code == 200
        await run_jobs()
        (heard,) = await cases.told(case.reporter)
        assert json.loads(heard["data"])["outcome"] == "ACTION_TAKEN"
        assert (await cases.row(case))["status"] == "RESOLVED"
        assert (await cases.row(own))["status"] == "OPEN", "what the decider reported is for a colleague"
        known = (await moderator.get(f"/admin/users/{case.subject.id}/moderation")).json()
        assert (known["reports_against"], known["removed_listings"]) == (2, 1)
        assert [one["id"] for one in (await moderator.get("/reports")).json()["items"]] == [own.id]
        queue = (await moderator.get("/admin/reports?status=RESOLVED&limit=100")).json()["items"]
        assert {one["reports_of_target"] for one in queue if one["target_id"] == case.target} == {2}


class TestBlocking:
    async def test_whoever_is_blocked_reads_why_without_signing_in_and_appeals(
        self, cases: Cases, people: People, client: httpx.AsyncClient, run_jobs: RunJobs
    ) -> None:
        person, moderator, colleague = await people.new("Murad"), await people.moderator(), await people.moderator()
        assert (await block(moderator, person)).status_code == 200
        await run_jobs()
        assert await events(cases, person) == ["moderation.decided"]
        refused = await client.post("/api/v1/auth/login", json={"email": person.email, "password": PASSWORD})
        token = refused.json()["appeal_token"]
        why = await client.post("/api/v1/reports/block", json={"appeal_token": token})
        assert (why.status_code, why.json()["statement"], why.json()["appeal_status"]) == (200, WHY, None)
        made = await client.post("/api/v1/reports/block/appeal", json={"appeal_token": token, "text": "It was not me."})
        assert made.status_code == 201, made.text
        assert (await overturn(moderator, made.json()["id"])).json()["code"] == "same_moderator"
        assert await cases.is_blocked(person)
        assert (await overturn(colleague, made.json()["id"])).json()["restored"] is True
        assert not await cases.is_blocked(person)
        assert await cases.audited(person.id) == ["user.block", "user.unblock"]

    @pytest.mark.parametrize("again", [False, True])
    async def test_unblocking_leaves_nothing_for_an_appeal_to_undo(
        self, cases: Cases, people: People, client: httpx.AsyncClient, run_jobs: RunJobs, *, again: bool
    ) -> None:
        person, moderator, colleague = await people.new("Murad"), await people.moderator(), await people.moderator()
        await block(moderator, person)
        await run_jobs()
        report = (await said(cases, person))[0]["report_id"]
        unblocked = await moderator.post(f"/admin/users/{person.id}/unblock", {"reason": "A mistake."})
        assert unblocked.status_code == 200
        signed_in = await client.post("/api/v1/auth/login", json={"email": person.email, "password": PASSWORD})
        person.access_token = signed_in.json()["access_token"]
        made = (await appeal(person, report)).json()["id"]
        if again:
            assert (await block(moderator, person, "Threats.")).status_code == 200
        assert (await overturn(colleague, made)).json()["restored"] is False
        assert await cases.is_blocked(person) is again
