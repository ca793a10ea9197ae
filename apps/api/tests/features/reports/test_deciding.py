"""What a decision does, to whom, and who hears of it."""

import json
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from support.cases import WHY, Cases
from support.factors import grow_old
from support.people import People

RunJobs = Callable[[], Awaitable[None]]


class TestActions:
    async def test_dismiss_changes_nothing(self, cases: Cases, people: People, run_jobs: RunJobs) -> None:
        case, moderator = await cases.new(), await people.moderator()
        assert (await case.claim(moderator)).status_code == 200
        reply = await case.resolve(moderator, "DISMISS", None)
        assert (reply.status_code, reply.json()["status"]) == (200, "RESOLVED")
        await run_jobs()
        assert await cases.listing_status(case) == "ACTIVE"
        assert await cases.told(case.subject) == []
        assert [item["event"] for item in await cases.told(case.reporter)] == ["report.resolved"]
        assert await cases.audited(case.id) == ["report.claim", "report.resolve"]

    async def test_remove_a_listing(self, cases: Cases, people: People, run_jobs: RunJobs) -> None:
        case, moderator = await cases.new(), await people.moderator()
        shown = await case.decided(moderator, "REMOVE_LISTING")
        assert (shown["decision"]["action"], shown["now"]["status"]) == ("REMOVE_LISTING", "REMOVED")
        assert (await case.reporter.get(f"/listings/{case.target}")).status_code == 404
        assert await cases.audited(case.target) == ["listing.remove"]
        await run_jobs()
        told = {item["event"]: json.loads(item["data"]) for item in await cases.told(case.subject)}
        assert list(told) == ["moderation.decided"], "told once, with the statement"
        said = told["moderation.decided"]
        assert (said["statement"], said["action"], said["report_id"]) == (WHY, "REMOVE_LISTING", case.id)
        assert said["appeal_until"] > shown["created_at"]
        (heard,) = await cases.told(case.reporter)
        assert json.loads(heard["data"])["outcome"] == "ACTION_TAKEN"
        for item in (*await cases.told(case.subject), heard):
            assert moderator.id not in item["data"]
        assert WHY not in heard["data"]

    async def test_warn(self, cases: Cases, people: People, run_jobs: RunJobs) -> None:
        case, moderator = await cases.new("MESSAGE"), await people.moderator()
        await case.decided(moderator, "WARN_USER")
        await run_jobs()
        assert [item["event"] for item in await cases.told(case.subject)] == ["moderation.decided"]
        assert await cases.audited(case.subject.id) == ["user.warn"]
        assert (await case.subject.get("/users/me")).status_code == 200

    async def test_block_ends_sessions_at_once(self, cases: Cases, people: People, run_jobs: RunJobs) -> None:
        case, moderator = await cases.new("USER"), await people.moderator()
        await case.decided(moderator, "BLOCK_USER")
        assert (await case.subject.get("/users/me")).status_code == 401
        assert await cases.is_blocked(case.subject)
        assert await cases.audited(case.subject.id) == ["user.block"]
        await run_jobs()
        assert [item["event"] for item in await cases.told(case.subject)] == ["moderation.decided"]

    @pytest.mark.parametrize("kind", ["CHAT", "MESSAGE"])
    async def test_close_a_chat(self, cases: Cases, people: People, kind: str) -> None:
        case, moderator = await cases.new(kind), await people.moderator()
        await case.decided(moderator, "CLOSE_CHAT")
        assert case.chat is not None
        for person in (case.reporter, case.subject):
            refused = await person.post(f"/chats/{case.chat}/messages", {"body": "Hello?"})
            assert (refused.status_code, refused.json()["code"]) == (409, "chat_closed")
            seen = (await person.get(f"/chats/{case.chat}")).json()
            assert (seen["closed"], seen["last_seq"]) == (True, 2)
            assert len((await person.get(f"/chats/{case.chat}/messages")).json()["items"]) == 2
        listing = (await case.reporter.get(f"/chats/{case.chat}")).json()["listing_id"]
        refused = await case.reporter.post(f"/listings/{listing}/chat", {"body": "Hello?"})
        assert (refused.status_code, refused.json()["code"]) == (409, "chat_closed")
        assert await cases.audited(case.chat) == ["chat.close"]

    async def test_a_deal_under_way_in_a_closed_chat_can_end(self, cases: Cases, people: People) -> None:
        talk, moderator = await cases.talk(), await people.moderator()
        made = await talk.buyer.post(f"/listings/{talk.listing_id}/reservations")
        case = await cases.again("CHAT", talk.id, talk.buyer, talk.seller, talk.id)
        await case.decided(moderator, "CLOSE_CHAT")
        assert (await talk.seller.post(f"/reservations/{made.json()['id']}/reject")).status_code == 200


class TestOthers:
    async def test_reports_of_what_is_acted_upon_are_settled_with_it(
        self, cases: Cases, people: People, run_jobs: RunJobs
    ) -> None:
        case, moderator = await cases.new(), await people.moderator()
        others = [await cases.again("LISTING", case.target, await people.new(), case.subject) for _ in range(2)]
        about_person = await cases.new("USER", subject=case.subject)
        assert (await others[0].claim(await people.moderator())).status_code == 200
        await case.decided(moderator, "REMOVE_LISTING")
        await run_jobs()
        for other in others:
            row = await cases.row(other)
            assert (row["status"], row["claimed_by"]) == ("RESOLVED", None)
            assert [item["event"] for item in await cases.told(other.reporter)] == ["report.resolved"]
        assert (await cases.row(about_person))["status"] == "OPEN"
        assert [item["event"] for item in await cases.told(case.subject)].count("moderation.decided") == 1

    async def test_a_warning_settles_one_alone(self, cases: Cases, people: People) -> None:
        case = await cases.new()
        other = await cases.again("LISTING", case.target, await people.new(), case.subject)
        await case.decided(await people.moderator(), "WARN_USER")
        assert (await cases.row(other))["status"] == "OPEN"

    async def test_the_other_sides_own_report_of_a_chat_is_still_heard(self, cases: Cases, people: People) -> None:
        case = await cases.new("CHAT")
        theirs = await cases.again("CHAT", case.target, case.subject, case.reporter, case.chat)
        await case.decided(await people.moderator(), "CLOSE_CHAT")
        assert (await cases.row(theirs))["status"] == "OPEN"

    async def test_nobody_settles_a_report_of_their_own(self, cases: Cases, people: People) -> None:
        case, moderator = await cases.new(), await people.moderator()
        await cases.again("LISTING", case.target, moderator, case.subject)
        assert (await case.claim(moderator)).status_code == 200
        refused = await case.resolve(moderator, "REMOVE_LISTING")
        assert (refused.status_code, refused.json()["code"]) == (403, "not_impartial")
        assert await cases.listing_status(case) == "ACTIVE"


class TestRefused:
    async def test_without_a_claim(self, cases: Cases, people: People) -> None:
        case, moderator = await cases.new(), await people.moderator()
        assert (await case.claim(await people.moderator())).status_code == 200
        refused = await case.resolve(moderator, "REMOVE_LISTING")
        assert (refused.status_code, refused.json()["code"]) == (403, "not_claimed")
        assert await cases.listing_status(case) == "ACTIVE"
        assert await cases.audited(case.id) == ["report.claim"]

    @pytest.mark.parametrize(
        ("kind", "action"),
        [("LISTING", "CLOSE_CHAT"), ("USER", "REMOVE_LISTING"), ("USER", "CLOSE_CHAT"), ("CHAT", "REMOVE_LISTING")],
    )
    async def test_what_does_not_fit(self, cases: Cases, people: People, kind: str, action: str) -> None:
        case, moderator = await cases.new(kind), await people.moderator()
        assert (await case.claim(moderator)).status_code == 200
        refused = await case.resolve(moderator, action)
        assert (refused.status_code, refused.json()["code"]) == (409, "action_does_not_fit")
        assert action not in refused.json()["allowed_actions"]
        assert (await cases.row(case))["status"] == "OPEN"

    @pytest.mark.parametrize("statement", [None, "no", "x" * 2001])
    async def test_without_reasons(self, cases: Cases, people: People, statement: str | None) -> None:
        case, moderator = await cases.new(), await people.moderator()
        assert (await case.claim(moderator)).status_code == 200
        refused = await case.resolve(moderator, "REMOVE_LISTING", statement)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/statement")
        assert await cases.listing_status(case) == "ACTIVE"
        assert (await cases.row(case))["status"] == "OPEN"

    async def test_a_block_without_a_recent_proof(self, cases: Cases, people: People) -> None:
        case, moderator = await cases.new("USER"), await people.moderator()
        assert (await case.claim(moderator)).status_code == 200
        await grow_old(cases.sql, moderator)
        refused = await case.resolve(moderator, "BLOCK_USER")
        assert (refused.status_code, refused.json()["code"]) == (403, "step_up_required")
        assert not await cases.is_blocked(case.subject)
        assert (await cases.row(case))["status"] == "OPEN"
        assert (await case.resolve(moderator, "WARN_USER")).status_code == 200

    async def test_a_block_of_staff_by_a_moderator(self, cases: Cases, people: People) -> None:
        colleague, moderator, admin = await people.moderator(), await people.moderator(), await people.admin()
        case = await cases.new("USER", subject=colleague)
        assert (await case.claim(moderator)).status_code == 200
        refused = await case.resolve(moderator, "BLOCK_USER")
        assert (refused.status_code, refused.json()["code"]) == (409, "staff_protected")
        assert not await cases.is_blocked(colleague)
        await cases.sql.execute(
            "UPDATE reports SET claimed_by = NULL, claimed_until = NULL WHERE id = $1", UUID(case.id)
        )
        await case.decided(admin, "BLOCK_USER")
        assert await cases.is_blocked(colleague)

    async def test_what_is_so_already(self, cases: Cases, people: People) -> None:
        moderator = await people.moderator()
        removed, blocked, closed = await cases.new(), await cases.new("USER"), await cases.new("CHAT")
        # As when a colleague was quicker, who could not settle the report since somebody held it at that moment.
        await cases.sql.execute(
            "UPDATE listings SET status = 'REMOVED', previous_status = 'ACTIVE' WHERE id = $1", UUID(removed.target)
        )
        await cases.sql.execute("UPDATE users SET is_blocked = true WHERE id = $1", UUID(blocked.subject.id))
        await cases.sql.execute("UPDATE chats SET closed_at = now() WHERE id = $1", UUID(closed.target))
        for case, action, code in (
            (removed, "REMOVE_LISTING", "illegal_transition"),
            (blocked, "BLOCK_USER", "already_blocked"),
            (closed, "CLOSE_CHAT", "chat_already_closed"),
        ):
            assert (await case.claim(moderator)).status_code == 200
            refused = await case.resolve(moderator, action)
            assert (refused.status_code, refused.json()["code"]) == (409, code)
            assert (await cases.row(case))["status"] == "OPEN"
            assert (await case.resolve(moderator, "DISMISS")).status_code == 200

    async def test_whoever_deleted_their_account(self, cases: Cases, people: People) -> None:
        moderator = await people.moderator()
        for action in ("WARN_USER", "BLOCK_USER"):
            case = await cases.new("USER")
            assert (await case.subject.delete("/users/me")).status_code == 204
            assert (await case.claim(moderator)).status_code == 200
            refused = await case.resolve(moderator, action)
            assert (refused.status_code, refused.json()["code"]) == (409, "target_gone")
            assert (await cases.row(case))["status"] == "OPEN"


async def test_what_is_known_of_a_person(cases: Cases, people: People) -> None:
    moderator, subject = await people.moderator(), await people.new("Murad")
    path = f"/admin/users/{subject.id}/moderation"
    assert (await moderator.get(path)).json()["reports_against"] == 0
    for kind, action in (
        ("LISTING", "REMOVE_LISTING"),
        ("MESSAGE", "WARN_USER"),
        ("CHAT", "CLOSE_CHAT"),
        ("USER", "DISMISS"),
        ("LISTING", "WARN_USER"),
    ):
        await (await cases.new(kind, subject=subject)).decided(moderator, action)
    await cases.new("USER", reporter=subject)
    last = await cases.new("USER", subject=subject)
    known = (await moderator.get(path)).json()
    assert {key: known[key] for key in known if key not in ("user_id", "decisions")} == {
        "is_blocked": False,
        "reports_against": 6,
        "open_reports_against": 1,
        "reports_made": 1,
        "dismissed": 1,
        "warnings": 2,
        "removed_listings": 1,
        "blocks": 0,
        "closed_chats": 1,
        "overturned": 0,
    }
    assert [item["action"] for item in known["decisions"]] == [
        "WARN_USER", "DISMISS", "CLOSE_CHAT", "WARN_USER", "REMOVE_LISTING",
    ]  # fmt: skip
    await last.decided(moderator, "BLOCK_USER")
    known = (await moderator.get(path)).json()
    assert (known["is_blocked"], known["blocks"], known["open_reports_against"]) == (True, 1, 0)
