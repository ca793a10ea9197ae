"""Every number equals what the rows themselves come to, whichever days are asked for and in whatever parts."""

from bisect import bisect_right
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import pytest

from memi.analytics import counting
from memi.analytics.waits import BOUNDS
from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.runtime import Runtime
from support.history import LEAVES, WORDS, History, write_history
from support.people import People, Person
from support.recount import Recount
from support.sql import Sql

ANALYTICS = "/admin/analytics"


class Place:
    """An administrator of a marketplace with a past."""

    def __init__(self, admin: Person, history: History, recount: Recount) -> None:
        self.admin, self.history, self.recount = admin, history, recount

    async def ask(self, path: str = ANALYTICS, /, **parameters: object) -> dict[str, Any]:
        reply = await self.admin.get(path, params={name: str(value) for name, value in parameters.items()})
        assert reply.status_code == 200, reply.text
        return reply.json()


@pytest.fixture(scope="module", params=[1, 2, 3])
async def place(
    request: pytest.FixtureRequest, people: People, runtime: Runtime, database_urls: EmbeddedUrls
) -> AsyncIterator[Place]:
    async with Sql.connect(database_urls.superuser) as sql:
        history = await write_history(sql, request.param)
        admin = await people.admin()
        # What was written by hand left no marks: all of it is new to who counts.
        await counting.rebuild(runtime, history.first, history.today, lambda _done, _all: None)
        yield Place(admin, history, await Recount.read(sql))


def _windows(history: History) -> list[tuple[date, date]]:
    """The whole past, single days, and some days in between."""
    chance, first = history.chance, history.first
    found = [(first, history.today), (history.today, history.today), (first, first)]
    for _ in range(4):
        start = first + timedelta(days=chance.randrange(history.days))
        found.append((start, start + timedelta(days=chance.randrange((history.today - start).days + 1))))
    return found


def _told(point: dict[str, Any]) -> dict[str, Any]:
    """A point without what the recount tells in another unit."""
    told = {name: value for name, value in point.items() if name != "first_message"}
    told["sell_through"] = {name: value for name, value in told["sell_through"].items() if name != "is_final"}
    return told


def _same_span(point: dict[str, Any], waits: list[float]) -> None:
    """The median told is as near to the one counted as the spans are wide."""
    assert point["first_message"]["listings"] == len(waits)
    if not waits:
        assert point["first_message"]["median_minutes"] is None
        return
    told, exact = point["first_message"]["median_minutes"] * 60, waits[(len(waits) - 1) // 2]
    span = bisect_right(BOUNDS, exact)
    low, high = BOUNDS[span - 1] if span else 0, BOUNDS[min(span, len(BOUNDS) - 1)]
    assert low - 3 <= told <= high + 3, "rounded to a tenth of a minute"


class TestNumbers:
    @pytest.mark.parametrize("granularity", ["day", "week", "month"])
    async def test_each_point_and_the_totals(self, place: Place, granularity: str) -> None:
        compared = 0
        for first, last in _windows(place.history):
            found = await place.ask(**{"from": first, "to": last, "granularity": granularity})
            assert found["points"][0]["start"] == found["start"] <= first.isoformat()
            assert found["points"][-1]["end"] == found["end"] >= last.isoformat()
            for point in (*found["points"], found["totals"]):
                start, end = date.fromisoformat(point["start"]), date.fromisoformat(point["end"])
                counted = place.recount.numbers(start, end)
                if point is found["totals"]:
                    counted["users"]["active"] = None
                assert _told(point) == counted
                _same_span(point, place.recount.waits(start, end))
                compared += 1
        assert compared > 13

    async def test_a_past_that_tells_something(self, place: Place) -> None:
        """Nothing above is shown by zeros alone."""
        totals = (await place.ask(**{"from": place.history.first, "to": place.history.today}))["totals"]
        for group in ("visits", "listings", "chats", "reservations", "orders"):
            assert [name for name, value in totals[group].items() if not value] == [], group
        assert totals["users"]["left"] > 0
        assert 0 < totals["sell_through"]["sold"] < totals["sell_through"]["listed"]
        assert min(totals["listings"]["by_status"].values()) > 0
        assert totals["first_message"]["listings"] > 20

    async def test_what_there_is_now_is_what_the_listings_say(self, place: Place) -> None:
        found = await place.ask(**{"from": place.history.today})
        rows = await place.history.sql.rows("SELECT status, count(*) AS n FROM listings GROUP BY status")
        assert {name: n for name, n in found["totals"]["listings"]["by_status"].items() if n} == {
            row["status"]: row["n"] for row in rows
        }

    async def test_sell_through_is_final_when_all_had_their_thirty_days(self, place: Place) -> None:
        today = place.history.today
        for days, final in ((31, True), (30, False)):
            day = today - timedelta(days=days)
            found = await place.ask(**{"from": day, "to": day})
            assert found["totals"]["sell_through"]["is_final"] is final


class TestTops:
    async def test_categories_by_views_contacts_and_sales(self, place: Place) -> None:
        for first, last in _windows(place.history):
            found = (await place.ask(**{"from": first, "to": last}))["top_categories"]
            counted = place.recount.top_categories(first, last)
            for name, counter in counted.items():
                items = found[f"by_{name}"]
                assert {item["category"]: item[name] for item in items} == dict(counter)
                assert [item[name] for item in items] == sorted(counter.values(), reverse=True)

    async def test_searches_of_five_visitors_a_day_and_nobodys_own(self, place: Place) -> None:
        shown: set[str] = set()
        for first, last in _windows(place.history):
            items = (await place.ask(**{"from": first, "to": last}))["top_searches"]
            counted = place.recount.top_searches(first, last)
            assert {item["words"]: (item["searches"], item["visitors"]) for item in items} == counted
            assert [item["visitors"] for item in items] == sorted((n for _, n in counted.values()), reverse=True)
            shown |= set(counted)
        searched = {event["words"] for event in place.recount.events}
        assert WORDS[3] in searched
        assert shown
        assert WORDS[3] not in shown


class TestFunnel:
    async def test_each_step_of_all_and_of_a_category_with_what_is_below_it(self, place: Place) -> None:
        steps = ("listed", "contacted", "reserved", "sold")
        for first, last in _windows(place.history):
            for category, leaves in (
                (None, None),
                (LEAVES[0], {LEAVES[0]}),
                ("WOMEN", {LEAVES[0]}),
                ("men", {LEAVES[1]}),
            ):
                asked = {"from": first, "to": last} | ({} if category is None else {"category": category})
                found = await place.ask(f"{ANALYTICS}/funnel", **asked)
                counted = place.recount.funnel(first, last, leaves)
                assert {name: found[name] for name in steps} == counted
                assert found["category"] == (category and category.lower())

    async def test_a_past_that_tells_something(self, place: Place) -> None:
        found = await place.ask(f"{ANALYTICS}/funnel", **{"from": place.history.first, "to": place.history.today})
        assert found["listed"] > found["contacted"] > 0
        assert found["reserved"] > 0
        assert found["is_final"] is False


class TestCohorts:
    async def test_who_came_back_in_each_week(self, place: Place) -> None:
        for first, last in _windows(place.history):
            found = await place.ask(f"{ANALYTICS}/cohorts", **{"from": first, "to": last})
            start = date.fromisoformat(found["start"])
            assert start.weekday() == 0
            assert found["cohorts"] == place.recount.cohorts(start, last)

    async def test_a_past_that_tells_something(self, place: Place) -> None:
        found = await place.ask(f"{ANALYTICS}/cohorts", **{"from": place.history.first, "to": place.history.today})
        assert len(found["cohorts"]) > 9
        assert sum(cohort["people"] for cohort in found["cohorts"]) > 35
        assert max(max(cohort["active"][3:], default=0) for cohort in found["cohorts"]) > 1
