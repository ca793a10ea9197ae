"""The feed in its viewer's own order, and recommendations: a plug-in arranges, and never adds or loses anything."""

import asyncio
import json
from collections.abc import Iterator
from importlib import import_module
from typing import Any
from uuid import UUID, uuid4

import pytest

from features.intelligence.conftest import Verdicts
from memi.platform.ids import new_id
from support.items import make_listing
from support.people import People, Person
from support.plugins import Package
from support.sql import Sql

CODE = """
    from memi.intelligence.ports import FeedOrder, Recommendations

    SEEN = []
    ANSWER = {}

    class Ranker:
        async def rank(self, question):
            SEEN.append(question)
            order = ANSWER.get("feed")
            return None if order is None else FeedOrder(listing_ids=tuple(order(question)))

    class Recommender:
        def recommend(self, question):
            SEEN.append(question)
            ids = ANSWER.get("ids")
            return None if ids is None else Recommendations(listing_ids=tuple(ids))
"""
PACKAGES = [Package("feed-package", CODE, {"feed_ranker": "Ranker", "recommender": "Recommender"})]
RECOMMENDED = "/users/me/recommendations"


def module() -> Any:
    return import_module("feed_package")


@pytest.fixture(autouse=True)
def silent(runtime: object) -> Iterator[None]:
    """Each test says what the plug-ins answer."""
    module().ANSWER.clear()
    module().SEEN.clear()
    yield
    module().ANSWER.clear()


@pytest.fixture(scope="module")
async def items(people: People, sql: Sql) -> list[str]:
    """Seven coats and a dress, in the order of the feed."""
    seller = await people.new("Seller")
    made = [(await make_listing(seller, sql, title=f"Coat {number}"))["id"] for number in range(7)]
    made.append((await make_listing(seller, sql, title="Dress", category="women-clothes-dresses-summer"))["id"])
    return list(reversed(made))


@pytest.fixture(scope="module")
async def viewer(people: People) -> Person:
    return await people.new("Viewer")


async def page(person: Person, query: str) -> tuple[list[str], str | None]:
    reply = await person.get(f"/listings?{query}")
    assert reply.status_code == 200, reply.text
    assert reply.headers["cache-control"] == "private, no-store"
    return [item["id"] for item in reply.json()["items"]], reply.json()["next_cursor"]


def upside_down(question: Any) -> list[UUID]:
    return [candidate.listing_id for candidate in reversed(question.candidates)]


def always(ids: list[UUID]) -> Any:
    """The same answer whatever the question is."""

    def answer(_: Any) -> list[UUID]:
        return ids

    return answer


class TestFeed:
    async def test_a_page_is_put_into_order(self, viewer: Person, items: list[str], verdicts: Verdicts) -> None:
        module().ANSWER["feed"] = upside_down
        found, _ = await page(viewer, "limit=100")
        assert found == list(reversed(items))
        (question,) = module().SEEN
        assert str(question.viewer_id) == viewer.id
        assert [str(candidate.listing_id) for candidate in question.candidates] == items
        first = question.candidates[0]
        assert (first.title, first.price, first.category) == ("Dress", 4500, "women-clothes-dresses-summer")
        row = (await verdicts(viewer.id))[-1]
        assert (row["port"], row["subject_type"], row["user_id"]) == ("feed_ranker", "USER", viewer.id)
        assert json.loads(row["verdict"]) == {"candidates": 8, "moved": 8}

    async def test_paging_shows_each_once_whatever_the_order_within_pages(
        self, viewer: Person, items: list[str]
    ) -> None:
        module().ANSWER["feed"] = upside_down
        seen: list[str] = []
        query = "limit=3"
        while True:
            found, cursor = await page(viewer, query)
            assert len(found) <= 3
            seen += found
            if cursor is None:
                break
            query = f"limit=3&cursor={cursor}"
        assert seen == [*reversed(items[:3]), *reversed(items[3:6]), *reversed(items[6:])]

    async def test_pages_by_number_are_put_into_order_as_well(self, viewer: Person, items: list[str]) -> None:
        module().ANSWER["feed"] = upside_down
        for total in ("", "&total=true"):
            second, cursor = await page(viewer, f"limit=3&page=2{total}")
            assert second == list(reversed(items[3:6]))
            assert (await page(viewer, f"limit=3&cursor={cursor}"))[0] == list(reversed(items[6:]))
            assert (await page(viewer, f"limit=3&page=4{total}"))[0] == []

    async def test_strange_ids_are_ignored_and_missing_ones_follow(self, viewer: Person, items: list[str]) -> None:
        wanted = [uuid4(), UUID(items[4]), UUID(items[4]), uuid4(), UUID(items[1])]
        module().ANSWER["feed"] = always(wanted)
        found, _ = await page(viewer, "limit=100")
        assert found == [items[4], items[1], *(item for item in items if item not in (items[4], items[1]))]

    async def test_an_empty_answer_and_none_change_nothing(self, viewer: Person, items: list[str]) -> None:
        module().ANSWER["feed"] = always([])
        assert (await page(viewer, "limit=100"))[0] == items
        module().ANSWER.clear()
        assert (await page(viewer, "limit=100"))[0] == items

    async def test_an_order_that_was_asked_for_stands(self, viewer: Person, items: list[str]) -> None:
        module().ANSWER["feed"] = upside_down
        for query in ("sort=newest", "sort=price_asc", "q=coat", "q=coat&sort=newest"):
            assert len((await page(viewer, f"{query}&limit=100"))[0]) >= 7
        assert (await page(viewer, "sort=newest&limit=100"))[0] == items
        assert module().SEEN == []

    async def test_filters_alone_still_make_a_feed(self, viewer: Person, items: list[str]) -> None:
        module().ANSWER["feed"] = upside_down
        found, _ = await page(viewer, "category=women-clothes-coats-wool&limit=100")
        assert found == list(reversed(items[1:]))

    async def test_strangers_are_not_ranked(self, viewer: Person, items: list[str]) -> None:
        module().ANSWER["feed"] = upside_down
        reply = await viewer.client.get("/api/v1/listings?limit=100")
        assert [item["id"] for item in reply.json()["items"]] == items
        assert module().SEEN == []


class TestRecommendations:
    async def test_are_cards_in_the_order_that_was_recommended(
        self, viewer: Person, items: list[str], verdicts: Verdicts
    ) -> None:
        module().ANSWER["ids"] = [UUID(items[3]), UUID(items[0]), UUID(items[3])]
        reply = await viewer.get(RECOMMENDED)
        assert reply.status_code == 200, reply.text
        assert [item["id"] for item in reply.json()["items"]] == [items[3], items[0]]
        assert reply.json()["next_cursor"] is None
        assert set(reply.json()["items"][0]) == set((await viewer.get("/listings")).json()["items"][0])
        assert reply.headers["cache-control"] == "private, no-store"
        (question,) = [one for one in module().SEEN if hasattr(one, "limit")]
        assert (str(question.viewer_id), question.limit) == (viewer.id, 24)
        assert (await verdicts(viewer.id, "recommender"))[-1]["outcome"] == "OK"

    async def test_what_cannot_be_shown_and_ones_own_are_left_out(
        self, viewer: Person, items: list[str], people: People, sql: Sql
    ) -> None:
        other = await people.new()
        own = await make_listing(viewer, sql)
        draft = await make_listing(other, sql, publish=False)
        sold = await make_listing(other, sql)
        assert (await other.post(f"/listings/{sold['id']}/sold")).status_code == 200
        wanted = [own["id"], draft["id"], sold["id"], str(new_id()), items[2]]
        module().ANSWER["ids"] = [UUID(one) for one in wanted]
        found = [item["id"] for item in (await viewer.get(RECOMMENDED)).json()["items"]]
        assert (await viewer.delete(f"/listings/{own['id']}")).status_code == 204
        assert found == [items[2]]

    async def test_at_most_as_many_as_asked_for(self, viewer: Person, items: list[str]) -> None:
        module().ANSWER["ids"] = [UUID(item) for item in items]
        found = (await viewer.get(f"{RECOMMENDED}?limit=2")).json()["items"]
        assert [item["id"] for item in found] == items[:2]

    async def test_without_an_idea_the_newest_of_what_one_likes_come_first(
        self, people: People, items: list[str]
    ) -> None:
        person = await people.new("Fan")
        assert [item["id"] for item in (await person.get(RECOMMENDED)).json()["items"]] == items
        assert (await person.put(f"/listings/{items[5]}/favorite")).status_code in (200, 201, 204)
        liked = [item["id"] for item in (await person.get(RECOMMENDED)).json()["items"]]
        assert liked == [*(item for item in items[1:] if item != items[5]), items[0]], "coats, then the dress"
        few = [item["id"] for item in (await person.get(f"{RECOMMENDED}?limit=2")).json()["items"]]
        assert few == items[1:3]

    async def test_are_for_those_who_are_signed_in(self, viewer: Person) -> None:
        assert (await viewer.client.get(f"/api/v1{RECOMMENDED}")).status_code == 401

    @pytest.mark.parametrize("query", ["limit=0", "limit=101", "cursor=x", "nope=1"])
    async def test_bad_questions(self, viewer: Person, query: str) -> None:
        assert (await viewer.get(f"{RECOMMENDED}?{query}")).status_code == 422


async def test_many_at_once_get_each_their_own(people: People, items: list[str]) -> None:
    module().ANSWER["feed"] = upside_down
    persons = [await people.new() for _ in range(5)]
    pages = await asyncio.gather(*(page(person, "limit=100") for person in persons for _ in range(4)))
    assert {tuple(found) for found, _ in pages} == {tuple(reversed(items))}
    assert {str(question.viewer_id) for question in module().SEEN} == {person.id for person in persons}
