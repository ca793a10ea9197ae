"""What is kept: what the database itself refuses to rewrite, what people get of it, and what is forgotten."""

from uuid import UUID

import asyncpg
import pytest

from memi.platform.runtime import Runtime
from memi.reports.personal_data import PERSONAL_DATA
from support.cases import WHY, Cases
from support.people import People, Person


async def given(runtime: Runtime, person: Person) -> dict[str, list[object]]:
    """Their part of an export."""
    async with runtime.unit_of_work() as session:
        return {
            kind.name: list((await kind.page(session, UUID(person.id), None)).records) for kind in PERSONAL_DATA.kinds
        }


async def erase(runtime: Runtime, person: Person) -> None:
    assert PERSONAL_DATA.erase is not None
    async with runtime.unit_of_work() as session:
        await PERSONAL_DATA.erase(session, UUID(person.id))


class TestDatabase:
    @pytest.mark.parametrize(
        "change",
        [
            "details = 'Something else'",
            "reason = 'SPAM'",
            'snapshot = \'{"title": "Something else"}\'',
            "target_id = gen_random_uuid()",
            "reporter_id = (SELECT id FROM users WHERE id <> reporter_id AND id <> subject_id LIMIT 1)",
            "status = 'RESOLVED'",
            "claimed_by = reporter_id",
        ],
    )
    async def test_a_report_is_not_rewritten(self, cases: Cases, change: str) -> None:
        case = await cases.new()
        before = await cases.row(case)
        with pytest.raises(asyncpg.CheckViolationError):
            await cases.sql.execute(f"UPDATE reports SET {change} WHERE id = $1", UUID(case.id))
        assert await cases.row(case) == before

    @pytest.mark.parametrize("change", ["action = 'WARN_USER'", "statement = 'Because'", "decided_at = now()"])
    async def test_a_decision_is_not_rewritten(self, cases: Cases, people: People, change: str) -> None:
        case = await cases.new()
        await case.decided(await people.moderator(), "REMOVE_LISTING")
        decision = (await cases.row(case))["decision_id"]
        with pytest.raises(asyncpg.CheckViolationError):
            await cases.sql.execute(f"UPDATE moderation_decisions SET {change} WHERE id = $1", decision)

    async def test_an_appeal_is_not_decided_by_the_same_moderator(self, cases: Cases, people: People) -> None:
        case, moderator = await cases.new(), await people.moderator()
        await case.decided(moderator, "REMOVE_LISTING")
        appeal = await case.appealed()
        with pytest.raises(asyncpg.CheckViolationError):
            await cases.sql.execute(
                "UPDATE moderation_appeals SET status = 'UPHELD', statement = 'It stands', decided_at = now(),"
                " decided_by = $2 WHERE id = $1",
                UUID(appeal),
                UUID(moderator.id),
            )


class TestPeople:
    async def test_get_what_they_reported_and_what_was_decided_about_them(
        self, cases: Cases, people: People, runtime: Runtime
    ) -> None:
        case, moderator = await cases.new(), await people.moderator()
        dismissed = await cases.new("USER", subject=case.subject)
        await dismissed.decided(moderator, "DISMISS")
        await case.decided(moderator, "REMOVE_LISTING")
        await case.appealed()
        reporter, subject = await given(runtime, case.reporter), await given(runtime, case.subject)
        assert (len(reporter["reports"]), reporter["moderation"]) == (1, [])
        assert subject["reports"] == []
        (decided,) = subject["moderation"]
        assert decided["statement"] == WHY  # pyright: ignore[reportIndexIssue]  # a record of an export
        assert decided["your_appeal"] == "It is genuine."  # pyright: ignore[reportIndexIssue]  # the same
        for part in (reporter, subject):
            assert moderator.id not in str(part)

    async def test_are_forgotten_in_words_and_counted_still(
        self, cases: Cases, people: People, runtime: Runtime
    ) -> None:
        case, moderator = await cases.new(), await people.moderator()
        claimed = await cases.new(subject=case.subject)
        assert (await claimed.claim(moderator)).status_code == 200
        await case.decided(moderator, "REMOVE_LISTING")
        await case.appealed()
        await erase(runtime, case.subject)
        row = await cases.row(case)
        assert (row["snapshot"], row["status"]) == ("{}", "RESOLVED")
        decided = await cases.sql.rows("SELECT * FROM moderation_decisions WHERE id = $1", row["decision_id"])
        assert (decided[0]["statement"], decided[0]["action"]) == ("", "REMOVE_LISTING")
        words = "SELECT text FROM moderation_appeals WHERE decision_id = $1"
        assert await cases.sql.value(words, row["decision_id"]) == ""
        known = (await moderator.get(f"/admin/users/{case.subject.id}/moderation")).json()
        assert (known["reports_against"], known["removed_listings"]) == (2, 1)
        assert (await moderator.get(f"/admin/reports/{case.id}")).status_code == 200

    async def test_reporters_words_go_with_them(self, cases: Cases, people: People, runtime: Runtime) -> None:
        reporter, item = await people.new(), await cases.talks.item(await people.new())
        made = await cases.report(reporter, "LISTING", item, details="I, Zarifa, bought the real one.")
        await erase(runtime, reporter)
        row = (await cases.sql.rows("SELECT * FROM reports WHERE id = $1", UUID(made.json()["id"])))[0]
        assert (row["details"], row["status"]) == (None, "OPEN")
        assert "Wool coat" in row["snapshot"]

    async def test_a_moderator_who_leaves_holds_nothing_back(
        self, cases: Cases, people: People, runtime: Runtime
    ) -> None:
        case, moderator = await cases.new(), await people.moderator()
        assert (await case.claim(moderator)).status_code == 200
        await erase(runtime, moderator)
        assert (await case.claim(await people.moderator())).status_code == 200

    async def test_a_listing_that_goes_leaves_its_report(self, cases: Cases, people: People) -> None:
        case, moderator = await cases.new(), await people.moderator()
        await cases.sql.execute("DELETE FROM listings WHERE id = $1", UUID(case.target))
        shown = (await moderator.get(f"/admin/reports/{case.id}")).json()
        assert (shown["target_id"], shown["now"], shown["as_reported"]["title"]) == (case.target, None, "Wool coat")
        assert (await case.claim(moderator)).status_code == 200
        refused = await case.resolve(moderator, "REMOVE_LISTING")
        assert (refused.status_code, refused.json()["code"]) == (409, "target_gone")
        assert (await case.resolve(moderator, "DISMISS")).status_code == 200
