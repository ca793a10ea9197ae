"""Who is told the numbers, of which days, and how the reply is sent."""

from datetime import date, timedelta

import httpx
import pytest

from memi.analytics import counting
from memi.platform.runtime import Runtime
from support.people import People, Person
from support.sql import Sql

PATHS = ("/admin/analytics", "/admin/analytics/cohorts", "/admin/analytics/funnel")


@pytest.fixture(scope="module")
async def admin(people: People) -> Person:
    return await people.admin()


@pytest.fixture(scope="module")
async def today(sql: Sql) -> date:
    return await sql.value("SELECT (now() AT TIME ZONE 'UTC')::date")


@pytest.mark.parametrize("path", PATHS)
class TestWhoIsTold:
    async def test_nobody_who_is_not_signed_in(self, client: httpx.AsyncClient, path: str) -> None:
        reply = await client.get(f"/api/v1{path}")
        assert (reply.status_code, reply.json()["code"]) == (401, "not_authenticated")

    async def test_no_user_and_no_moderator(self, people: People, path: str) -> None:
        for person in (await people.new(), await people.moderator()):
            reply = await person.get(path)
            assert (reply.status_code, reply.json()["code"]) == (403, "permission_denied")

    async def test_administrators(self, admin: Person, path: str) -> None:
        assert (await admin.get(path)).status_code == 200


class TestTheWindow:
    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.parametrize(
        ("query", "pointer", "code"),
        [
            ("from=yesterday", "/from", "bad_format"),
            ("from=2026-02-30", "/from", "bad_format"),
            ("to=1767225600", "/to", "bad_format"),
            ("to=2026-01-01T00:00:00Z", "/to", "bad_format"),
            ("from=", "/from", "bad_format"),
            ("from=2026-01-02&to=2026-01-01", "/from", "out_of_range"),
            ("from=9999-01-01&to=9999-01-02", "/from", "out_of_range"),
            ("from=2020-01-01&to=2025-01-01", "/to", "out_of_range"),
            ("from=0001-01-01", "/to", "out_of_range"),
            ("from=2026-01-01&from=2026-01-02", "/from", "repeated"),
            ("since=2026-01-01", "/since", "unknown_field"),
            ("first=2026-01-01", "/first", "unknown_field"),
        ],
    )
    async def test_a_wrong_one_is_refused_by_name(
        self, admin: Person, path: str, query: str, pointer: str, code: str
    ) -> None:
        reply = await admin.get(f"{path}?{query}")
        assert (reply.status_code, reply.headers["content-type"]) == (422, "application/problem+json")
        assert (pointer, code) in [(error["pointer"], error["code"]) for error in reply.json()["errors"]]

    @pytest.mark.parametrize("query", ["granularity=hour", "granularity=", "granularity=DAY"])
    async def test_an_unknown_granularity_is_refused(self, admin: Person, query: str) -> None:
        reply = await admin.get(f"{PATHS[0]}?{query}")
        assert reply.status_code == 422
        assert reply.json()["errors"][0]["pointer"] == "/granularity"

    async def test_an_unknown_category_is_refused(self, admin: Person) -> None:
        reply = await admin.get(f"{PATHS[2]}?category=spaceships")
        assert reply.status_code == 422
        assert (reply.json()["errors"][0]["pointer"], reply.json()["errors"][0]["code"]) == (
            "/category",
            "unknown_value",
        )

    async def test_thirty_days_up_to_today_unless_told_otherwise(self, admin: Person, today: date) -> None:
        found = (await admin.get(PATHS[0])).json()
        assert (found["start"], found["end"]) == ((today - timedelta(days=29)).isoformat(), today.isoformat())
        assert (found["granularity"], len(found["points"])) == ("day", 30)

    async def test_the_earliest_days_there_are_can_be_asked_for(self, admin: Person) -> None:
        """A window at the end of the calendar's reach is answered or refused, and never breaks."""
        for query in ("to=0001-01-01", "to=0001-01-05&granularity=week", "from=0001-01-01&to=0001-01-09"):
            for path in PATHS:
                reply = await admin.get(f"{path}?{query}")
                assert reply.status_code in (200, 422), f"{path}?{query}: {reply.text}"


class TestTheReply:
    @pytest.mark.parametrize("path", PATHS)
    async def test_is_kept_by_nobody_and_told_by_its_tag(self, admin: Person, path: str) -> None:
        reply = await admin.get(path)
        assert reply.headers["cache-control"] == "private, no-store"
        assert {"Authorization", "Cookie"} <= {part.strip() for part in reply.headers["vary"].split(",")}
        again = await admin.get(path, headers={"If-None-Match": reply.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == reply.headers["etag"]

    async def test_says_when_it_was_counted_and_changes_with_it(
        self, admin: Person, people: People, runtime: Runtime, sql: Sql, today: date
    ) -> None:
        await counting.refresh(runtime, patience=timedelta(0))
        first = await admin.get(f"{PATHS[0]}?from={today}")
        before = await sql.value("SELECT clock_timestamp()")
        await people.new()
        assert (await admin.get(f"{PATHS[0]}?from={today}")).json() == first.json(), "nothing is counted on request"
        await counting.refresh(runtime, patience=timedelta(0))
        second = await admin.get(f"{PATHS[0]}?from={today}", headers={"If-None-Match": first.headers["etag"]})
        assert second.status_code == 200
        made_at = await sql.value("SELECT max(made_at) FROM analytics_days")
        assert made_at > before
        assert second.json()["as_of"] == made_at.isoformat().replace("+00:00", "Z")
        assert second.json()["totals"]["users"]["new"] == first.json()["totals"]["users"]["new"] + 1
        for path, column in (
            (PATHS[1], "made_at) FROM analytics_periods"),
            (PATHS[2], "cohort_made_at) FROM analytics_days"),
        ):
            found = (await admin.get(path)).json()
            expected = await sql.value(f"SELECT max({column}")
            assert found["as_of"] == expected.isoformat().replace("+00:00", "Z")
