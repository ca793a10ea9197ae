"""The queue: who may see it, in which order, and that one moderator at a time works on a report."""

import json
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from support.cases import Case, Cases
from support.people import People, Person

STAFF_READS = ("/admin/reports", "/admin/appeals", "/admin/reports/{report}", "/admin/reports/{report}/messages")


async def lapse(cases: Cases, case: Case) -> None:
    await cases.sql.execute(
        "UPDATE reports SET claimed_until = now() - interval '1 second' WHERE id = $1", UUID(case.id)
    )


async def listed(moderator: Person, query: str = "") -> list[dict[str, Any]]:
    """The whole queue, page by page."""
    items: list[dict[str, Any]] = []
    cursor = ""
    while True:
        reply = await moderator.get(f"/admin/reports?limit=3{query}{cursor}")
        assert reply.status_code == 200, reply.text
        items += reply.json()["items"]
        if reply.json()["next_cursor"] is None:
            return items
        cursor = f"&cursor={reply.json()['next_cursor']}"


class TestWhoMayLook:
    async def test_nobody_but_staff(self, cases: Cases, people: People, client: httpx.AsyncClient) -> None:
        case = await cases.new("MESSAGE")
        paths = [path.format(report=case.id) for path in STAFF_READS] + [f"/admin/users/{case.subject.id}/moderation"]
        for path in paths:
            assert (await client.get(f"/api/v1{path}")).status_code == 401
            for person in (await people.new("Stranger"), case.reporter, case.subject):
                reply = await person.get(path)
                assert (reply.status_code, reply.json()["code"]) == (403, "permission_denied")
        for path, body in (
            (f"/admin/reports/{case.id}/claim", None),
            (f"/admin/reports/{case.id}/resolve", {"action": "DISMISS"}),
            (f"/admin/appeals/{uuid4()}/decide", {"decision": "UPHOLD", "statement": "It stands."}),
        ):
            assert (await client.post(f"/api/v1{path}", json=body)).status_code == 401
            for person in (await people.new("Stranger"), case.reporter, case.subject):
                assert (await person.post(path, body)).json()["code"] == "permission_denied"
        assert (await cases.row(case))["claimed_by"] is None
        assert await cases.audited(case.id) == []

    async def test_moderators_and_administrators(self, cases: Cases, people: People) -> None:
        case = await cases.new()
        for person in (await people.moderator(), await people.admin()):
            assert case.id in [item["id"] for item in await listed(person)]
            assert (await person.get(f"/admin/reports/{case.id}")).status_code == 200
            assert (await person.get(f"/admin/reports/{uuid4()}")).status_code == 404
            assert (await person.get(f"/admin/users/{uuid4()}/moderation")).status_code == 404


class TestQueue:
    async def test_oldest_first_with_what_is_known(self, cases: Cases, people: People) -> None:
        moderator = await people.moderator()
        first = await cases.new()
        second = await cases.again("LISTING", first.target, await people.new(), first.subject)
        warned = await cases.new("USER", subject=first.subject)
        await warned.decided(moderator, "WARN_USER")
        items = await listed(moderator)
        assert [item["id"] for item in items] == sorted(item["id"] for item in items)
        found = {item["id"]: item for item in items}
        assert warned.id not in found
        assert (found[first.id]["reports_of_target"], found[first.id]["open_reports_of_target"]) == (2, 2)
        assert found[second.id]["offences_of_subject"] == 1

    async def test_filters(self, cases: Cases, people: People) -> None:
        moderator = await people.moderator()
        waits, claimed, done = await cases.new("CHAT"), await cases.new("CHAT"), await cases.new("CHAT")
        assert (await claimed.claim(moderator)).status_code == 200
        await done.decided(moderator, "DISMISS")
        for status, case in (("OPEN", waits), ("CLAIMED", claimed), ("RESOLVED", done)):
            found = await listed(moderator, f"&status={status}&target_type=CHAT")
            assert case.id in [item["id"] for item in found]
            assert {item["status"] for item in found} == {status}
            assert {item["target_type"] for item in found} == {"CHAT"}
        both = {item["id"] for item in await listed(moderator, "&target_type=CHAT")}
        assert {waits.id, claimed.id} <= both
        assert done.id not in both
        for wrong in ("status=DONE", "target_type=ORDER", "colour=red", "limit=0"):
            assert (await moderator.get(f"/admin/reports?{wrong}")).status_code == 422

    async def test_a_cursor_is_good_for_its_own_collection(self, cases: Cases, people: People) -> None:
        moderator = await people.moderator()
        for _ in range(2):
            await cases.new()
        cursor = (await moderator.get("/admin/reports?limit=1")).json()["next_cursor"]
        refused = await moderator.get(f"/admin/reports?limit=1&status=OPEN&cursor={cursor}")
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_cursor")


class TestOneReport:
    async def test_shows_the_target_then_and_now(self, cases: Cases, people: People) -> None:
        case, moderator = await cases.new(), await people.moderator()
        changed = await case.subject.patch(f"/listings/{case.target}", {"title": "Something harmless"})
        assert changed.status_code == 200, changed.text
        shown = (await moderator.get(f"/admin/reports/{case.id}")).json()
        assert shown["as_reported"]["title"] == "Wool coat"
        assert shown["now"]["title"] == "Something harmless"
        assert shown["allowed_actions"] == ["DISMISS", "REMOVE_LISTING", "WARN_USER", "BLOCK_USER"]

    @pytest.mark.parametrize("kind", ["CHAT", "MESSAGE"])
    async def test_shows_no_words_of_a_chat(self, cases: Cases, people: People, kind: str) -> None:
        case, moderator = await cases.new(kind), await people.moderator()
        reply = await moderator.get(f"/admin/reports/{case.id}")
        assert reply.status_code == 200
        assert "Send the money first." not in reply.text
        assert "Is it still there?" not in reply.text
        assert reply.json()["now"]["id"] == case.chat

    async def test_shows_a_person(self, cases: Cases, people: People) -> None:
        case, moderator = await cases.new("USER"), await people.moderator()
        shown = (await moderator.get(f"/admin/reports/{case.id}")).json()
        assert (shown["as_reported"]["name"], shown["now"]["is_blocked"]) == ("Murad", False)
        assert "email" not in json.dumps(shown)


class TestClaim:
    async def test_one_at_a_time(self, cases: Cases, people: People) -> None:
        case, first, second = await cases.new(), await people.moderator(), await people.moderator()
        reply = await case.claim(first)
        assert (reply.status_code, reply.json()["status"], reply.json()["claimed_by"]) == (200, "CLAIMED", first.id)
        refused = await case.claim(second)
        assert (refused.status_code, refused.json()["code"]) == (409, "report_claimed")
        assert refused.json()["claimed_until"] == reply.json()["claimed_until"]
        assert str((await cases.row(case))["claimed_by"]) == first.id
        assert await cases.audited(case.id) == ["report.claim"]

    async def test_again_begins_the_time_anew(self, cases: Cases, people: People) -> None:
        case, moderator = await cases.new(), await people.moderator()
        first = (await case.claim(moderator)).json()["claimed_until"]
        assert (await case.claim(moderator)).json()["claimed_until"] > first
        assert await cases.audited(case.id) == ["report.claim"]

    async def test_lapses(self, cases: Cases, people: People) -> None:
        case, first, second = await cases.new(), await people.moderator(), await people.moderator()
        assert (await case.claim(first)).status_code == 200
        minutes = "SELECT extract(epoch FROM claimed_until - now()) / 60 FROM reports WHERE id = $1"
        assert 29 < float(await cases.sql.value(minutes, UUID(case.id))) <= 30
        await lapse(cases, case)
        refused = await case.resolve(first, "DISMISS")
        assert (refused.status_code, refused.json()["code"]) == (403, "not_claimed")
        assert (await case.claim(second)).json()["claimed_by"] == second.id
        assert (await case.resolve(first, "DISMISS")).json()["code"] == "not_claimed"
        assert (await cases.row(case))["status"] == "OPEN"

    async def test_by_nobody_whom_it_concerns(self, cases: Cases, people: People) -> None:
        moderator, colleague = await people.moderator(), await people.moderator()
        for case in (await cases.new("USER", reporter=moderator), await cases.new("USER", subject=moderator)):
            refused = await case.claim(moderator)
            assert (refused.status_code, refused.json()["code"]) == (403, "not_impartial")
            assert (await cases.row(case))["claimed_by"] is None
            assert (await case.claim(colleague)).status_code == 200

    async def test_of_what_is_resolved(self, cases: Cases, people: People) -> None:
        case, moderator = await cases.new(), await people.moderator()
        await case.decided(moderator, "DISMISS")
        refused = await case.claim(await people.moderator())
        assert (refused.status_code, refused.json()["code"]) == (409, "report_resolved")
        assert (await moderator.post(f"/admin/reports/{uuid4()}/claim")).status_code == 404


class TestLook:
    async def test_the_chat_opens_to_whoever_claimed_it(self, cases: Cases, people: People) -> None:
        case, moderator = await cases.new("MESSAGE"), await people.moderator()
        path = f"/admin/reports/{case.id}/messages"
        for person in (moderator, await people.admin()):
            refused = await person.get(path)
            assert (refused.status_code, refused.json()["code"]) == (403, "not_claimed")
        assert case.chat is not None
        assert await cases.audited(case.chat) == []
        assert (await case.claim(moderator)).status_code == 200
        page = (await moderator.get(f"{path}?limit=1")).json()
        assert ([item["body"] for item in page["items"]], page["has_more"]) == (["Send the money first."], True)
        rest = (await moderator.get(f"{path}?before_seq={page['items'][0]['seq']}")).json()
        assert ([item["body"] for item in rest["items"]], rest["has_more"]) == (["Is it still there?"], False)
        assert await cases.audited(case.chat) == ["chat.look", "chat.look"]
        after = await cases.sql.rows(
            "SELECT after->>'report_id' AS report, after->>'from_seq' AS first, after->>'to_seq' AS last "
            "FROM audit_log WHERE target_id = $1 ORDER BY at, id",
            case.chat,
        )
        assert [tuple(row.values()) for row in after] == [(case.id, "2", "2"), (case.id, "1", "1")]

    async def test_and_closes_again(self, cases: Cases, people: People) -> None:
        lapsed, done, moderator = await cases.new("CHAT"), await cases.new("CHAT"), await people.moderator()
        assert (await lapsed.claim(moderator)).status_code == 200
        await lapse(cases, lapsed)
        assert (await moderator.get(f"/admin/reports/{lapsed.id}/messages")).json()["code"] == "not_claimed"
        await done.decided(moderator, "DISMISS")
        assert (await moderator.get(f"/admin/reports/{done.id}/messages")).json()["code"] == "report_resolved"
        for case in (lapsed, done):
            assert case.chat is not None
            assert await cases.audited(case.chat) == []

    async def test_by_no_other_way(self, cases: Cases, people: People) -> None:
        case, moderator = await cases.new("CHAT"), await people.moderator()
        assert (await case.claim(moderator)).status_code == 200
        assert (await moderator.get(f"/chats/{case.chat}/messages")).status_code == 404
        about_listing = await cases.new()
        assert (await about_listing.claim(moderator)).status_code == 200
        assert (await moderator.get(f"/admin/reports/{about_listing.id}/messages")).status_code == 404


async def test_what_waits_is_measured_until_it_is_decided(
    cases: Cases, people: People, client: httpx.AsyncClient
) -> None:
    async def waiting(kind: str) -> float:
        text = (await client.get("/metrics")).text
        (line,) = [line for line in text.splitlines() if line.startswith(f'memi_moderation_waiting{{kind="{kind}"}}')]
        return float(line.split()[-1])

    reports, appeals = await waiting("report"), await waiting("appeal")
    case = await cases.new()
    assert await waiting("report") == reports + 1
    await case.decided(await people.moderator(), "REMOVE_LISTING")
    assert await waiting("report") == reports
    await case.appeal(case.subject)
    assert await waiting("appeal") == appeals + 1
