"""What plug-ins say about listings: when one is shown, about its pictures, and to its seller."""

import json
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any
from uuid import UUID

import pytest

from features.intelligence.conftest import Verdicts
from memi.listings.assessing import assess
from memi.listings.events import ListingMoved
from memi.media.events import UploadReady
from memi.media.store import Area, new_key, store_of
from memi.platform.events import publish
from memi.platform.runtime import Runtime
from support.items import LEAF, make_listing
from support.people import People, Person
from support.plugins import Package
from support.sql import Sql
from support.uploads import make_upload

CODE = """
    from memi.intelligence.ports import CategoryGuess, FraudScore, PictureTags, PriceAdvice

    SEEN = []

    class Adviser:
        def advise(self, question):
            SEEN.append(question)
            prices = sorted(other.price for other in question.comparables)
            if not prices:
                return None
            return PriceAdvice(low=prices[0], typical=prices[len(prices) // 2], high=prices[-1], based_on=len(prices))

    class Scorer:
        def score(self, question):
            SEEN.append(question)
            suspicious = "western union" in question.item.description.lower()
            return FraudScore(score=0.95, reasons=("asks for money first",)) if suspicious else FraudScore(score=0.1)

    class Tagger:
        async def tag(self, picture):
            SEEN.append(picture)
            return PictureTags(
                tags=("coat", "wool"),
                categories=(
                    CategoryGuess(category="no-such-category", confidence=1.0),
                    CategoryGuess(category=picture.categories[0], confidence=0.25),
                    CategoryGuess(category="women-clothes-coats-wool", confidence=len(picture.data) / 100),
                ),
            )
"""
"""The module is imported under its name, so that tests read what it saw."""
PACKAGES = [
    Package(
        "whole-package",
        CODE,
        {"price_adviser": "Adviser", "fraud_scorer": "Scorer", "category_tagger": "Tagger"},
        "2.1",
    )
]
RunJobs = Callable[[], Awaitable[None]]


def seen() -> list[Any]:
    package: Any = import_module("whole_package")
    return package.SEEN


async def flags(moderator: Person, listing_id: str) -> list[dict[str, Any]]:
    items = (await moderator.get("/admin/listings?flag=FRAUD&limit=100")).json()["items"]
    return [flag for item in items if item["id"] == listing_id for flag in item["flags"]]


class TestShown:
    async def test_one_is_scored_and_its_price_judged(
        self, people: People, sql: Sql, run_jobs: RunJobs, verdicts: Verdicts
    ) -> None:
        seller, moderator = await people.new(), await people.moderator()
        item = await make_listing(seller, sql)
        await run_jobs()
        found = await verdicts(item["id"])
        assert [(row["port"], row["outcome"]) for row in found] == [("price_adviser", "OK"), ("fraud_scorer", "OK")]
        assert {(row["plugin"], row["plugin_version"], row["user_id"]) for row in found} == {
            ("whole-package", "2.1", seller.id)
        }
        assert json.loads(found[1]["verdict"]) == {"score": 0.1, "reasons": []}
        assert all(row["took_ms"] >= 0 for row in found)
        assert await flags(moderator, item["id"]) == []

    async def test_a_suspicious_one_is_flagged_for_moderators_and_stays_shown(
        self, people: People, sql: Sql, run_jobs: RunJobs
    ) -> None:
        seller, moderator = await people.new(), await people.moderator()
        item = await make_listing(seller, sql, description="Pay by Western Union")
        await run_jobs()
        (flag,) = await flags(moderator, item["id"])
        assert (flag["kind"], flag["source"], flag["resolved_at"]) == ("FRAUD", "PLUGIN", None)
        assert flag["note"] == "score 0.95; asks for money first"
        assert (await seller.client.get(f"/api/v1/listings/{item['id']}")).json()["status"] == "ACTIVE"
        assert "flags" not in (await seller.get(f"/listings/{item['id']}")).json()

    async def test_shown_again_it_is_not_flagged_twice(self, people: People, sql: Sql, run_jobs: RunJobs) -> None:
        seller, moderator = await people.new(), await people.moderator()
        item = await make_listing(seller, sql, description="Western Union only")
        await run_jobs()
        for move in ("unpublish", "publish"):
            assert (await seller.post(f"/listings/{item['id']}/{move}")).status_code == 200
        await run_jobs()
        assert len(await flags(moderator, item["id"])) == 1
        await sql.execute("UPDATE listing_flags SET resolved_at = now() WHERE listing_id = $1", UUID(item["id"]))
        for move in ("unpublish", "publish"):
            assert (await seller.post(f"/listings/{item['id']}/{move}")).status_code == 200
        await run_jobs()
        assert await sql.value("SELECT count(*) FROM listing_flags WHERE listing_id = $1", UUID(item["id"])) == 2

    async def test_a_draft_is_nobodys_business(
        self, people: People, sql: Sql, run_jobs: RunJobs, verdicts: Verdicts
    ) -> None:
        item = await make_listing(await people.new(), sql, publish=False)
        await run_jobs()
        assert await verdicts(item["id"]) == []

    async def test_one_that_was_taken_back_before_is_not_judged(
        self, people: People, sql: Sql, run_jobs: RunJobs, verdicts: Verdicts
    ) -> None:
        seller = await people.new()
        item = await make_listing(seller, sql)
        assert (await seller.delete(f"/listings/{item['id']}")).status_code == 204
        await run_jobs()
        assert await verdicts(item["id"]) == []

    async def test_told_twice_it_is_judged_once(
        self, people: People, sql: Sql, runtime: Runtime, run_jobs: RunJobs, verdicts: Verdicts
    ) -> None:
        """A worker that dies after its work and before saying so has the job run again."""
        seller = await people.new()
        item = await make_listing(seller, sql)
        event = ListingMoved(UUID(item["id"]), UUID(seller.id), "publish", "DRAFT", "ACTIVE")
        jobs = [job for job in runtime.bus.durable_jobs(event) if job.name == assess.name]
        assert len(jobs) == 1
        for _ in range(2):
            await sql.execute(
                "INSERT INTO pgqueuer (priority, entrypoint, payload, execute_after, status)"
                " VALUES (0, $1, $2, now(), 'queued')",
                jobs[0].name,
                jobs[0].payload,
            )
        await run_jobs()
        assert len(await verdicts(item["id"], "fraud_scorer")) == 2, "the listing's own event, and this one once"

    async def test_nothing_says_who_sells_it(self, people: People, sql: Sql, run_jobs: RunJobs) -> None:
        seller = await people.new("Gulnara")
        seen().clear()
        await make_listing(seller, sql, title="Gown", attributes={"fit": "REGULAR"})
        await run_jobs()
        (told,) = [question for question in seen() if hasattr(question, "seller")]
        assert told.item.categories[-1] == LEAF
        assert told.item.categories[0] == "women"
        assert (told.item.price, told.item.currency, told.item.pictures) == (4500, "AZN", 1)
        assert (told.seller.days, told.seller.active_listings, told.seller.sold_listings) == (0, 1, 0)
        for secret in (seller.id, seller.email, "Gulnara"):
            assert secret not in repr(seen())


class TestPriceAdvice:
    async def test_its_seller_reads_what_it_would_sell_for(self, people: People, sql: Sql, verdicts: Verdicts) -> None:
        other, seller = await people.new(), await people.new()
        category = "men-shoes-sneakers-running"
        for amount in (1000, 3000, 8000):
            await make_listing(other, sql, price={"amount": amount, "currency": "AZN"}, category=category)
        item = await make_listing(seller, sql, publish=False, category=category)
        reply = await seller.get(f"/listings/{item['id']}/price-advice")
        assert reply.status_code == 200, reply.text
        assert reply.json() == {
            "low": {"amount": 1000, "currency": "AZN"},
            "typical": {"amount": 3000, "currency": "AZN"},
            "high": {"amount": 8000, "currency": "AZN"},
            "based_on": 3,
        }
        (row,) = await verdicts(item["id"])
        assert (row["port"], row["subject_type"], row["user_id"]) == ("price_adviser", "LISTING", seller.id)
        assert json.loads(row["verdict"])["typical"] == 3000

    async def test_sold_ones_count_and_drafts_and_deleted_ones_do_not(self, people: People, sql: Sql) -> None:
        other, seller = await people.new(), await people.new()
        category = await _other_leaf(sql, "men-shoes")
        sold, _, deleted = [
            await make_listing(other, sql, publish=published, category=category) for published in (True, False, True)
        ]
        assert (await other.post(f"/listings/{sold['id']}/sold")).status_code == 200
        assert (await other.delete(f"/listings/{deleted['id']}")).status_code == 204
        item = await make_listing(seller, sql, publish=False, category=category)
        seen().clear()
        assert (await seller.get(f"/listings/{item['id']}/price-advice")).json()["based_on"] == 1
        assert [other.is_sold for other in seen()[0].comparables] == [True]

    async def test_nothing_to_compare_with_is_404(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        reply = await seller.post("/listings", {"title": "Something"})
        answer = await seller.get(f"/listings/{reply.json()['id']}/price-advice")
        assert (answer.status_code, answer.json()["code"]) == (404, "no_price_advice")

    @pytest.mark.parametrize("what", ["price-advice", "category-suggestions"])
    async def test_is_for_its_seller_alone(self, people: People, sql: Sql, what: str, verdicts: Verdicts) -> None:
        seller, stranger, moderator = await people.new(), await people.new(), await people.moderator()
        shown, draft = await make_listing(seller, sql), await make_listing(seller, sql, publish=False)
        path = f"/api/v1/listings/{shown['id']}/{what}"
        assert (await seller.client.get(path)).status_code == 401
        for person, item, status, code in (
            (stranger, shown, 403, "not_owner"),
            (stranger, draft, 404, "not_found"),
            (moderator, draft, 403, "not_owner"),
        ):
            reply = await person.get(f"/listings/{item['id']}/{what}")
            assert (reply.status_code, reply.json()["code"]) == (status, code)
        assert await verdicts(draft["id"]) == []

    async def test_unknown_parameters_are_refused(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        item = await make_listing(seller, sql)
        for what in ("price-advice", "category-suggestions"):
            assert (await seller.get(f"/listings/{item['id']}/{what}?nope=1")).status_code == 422


async def _other_leaf(sql: Sql, prefix: str) -> str:
    """A leaf that no other test of this file sells in."""
    return await sql.value(
        "SELECT slug FROM categories c WHERE slug LIKE $1 || '%' AND slug <> 'men-shoes-sneakers-running'"
        " AND NOT EXISTS (SELECT FROM categories d WHERE d.parent_id = c.id) ORDER BY slug LIMIT 1",
        prefix,
    )


async def finish(runtime: Runtime, sql: Sql, upload_id: str, seller: Person, data: bytes) -> None:
    """As processing does at its end: a file in the store, and an event."""
    key = new_key(Area.PUBLIC, ".webp")
    await store_of(runtime.adapters).put(key, data, "image/webp")
    renditions = [
        {"key": key, "width": 640, "height": 800, "content_type": "image/webp"},
        {"key": "public/absent.webp", "width": 1600, "height": 2000, "content_type": "image/webp"},
        {"key": "public/absent.avif", "width": 320, "height": 400, "content_type": "image/avif"},
    ]
    await sql.execute("UPDATE uploads SET renditions = $2 WHERE id = $1", UUID(upload_id), json.dumps(renditions))
    async with runtime.unit_of_work() as session:
        publish(session, UploadReady(UUID(upload_id), UUID(seller.id)))


class TestPictures:
    async def test_suggest_categories_to_the_seller(
        self, people: People, sql: Sql, runtime: Runtime, run_jobs: RunJobs, verdicts: Verdicts
    ) -> None:
        seller = await people.new()
        uploads = [await make_upload(sql, seller.id) for _ in range(2)]
        seen().clear()
        await finish(runtime, sql, uploads[0], seller, b"x" * 40)
        await finish(runtime, sql, uploads[1], seller, b"x" * 90)
        await run_jobs()
        pictures = [item for item in seen() if hasattr(item, "data")]
        assert sorted(len(item.data) for item in pictures) == [40, 90]
        assert {(item.content_type, item.width, item.height) for item in pictures} == {("image/webp", 640, 800)}
        item = await make_listing(seller, sql, publish=False, images=uploads)
        reply = await seller.get(f"/listings/{item['id']}/category-suggestions")
        assert reply.status_code == 200, reply.text
        found = reply.json()
        assert found["tags"] == ["coat", "wool"]
        assert [(one["category"]["slug"], one["confidence"]) for one in found["items"]] == [
            (LEAF, 0.9),
            (pictures[0].categories[0], 0.25),
        ]
        assert found["items"][0]["category"]["path"][0]["slug"] == "women"
        (row,) = await verdicts(uploads[0])
        assert (row["subject_type"], row["user_id"], row["outcome"]) == ("UPLOAD", seller.id, "OK")

    async def test_a_picture_that_is_gone_meanwhile_is_no_failure(
        self, people: People, sql: Sql, runtime: Runtime, run_jobs: RunJobs, verdicts: Verdicts
    ) -> None:
        seller = await people.new()
        upload = await make_upload(sql, seller.id)
        async with runtime.unit_of_work() as session:
            publish(session, UploadReady(UUID(upload), UUID(seller.id)))
        await run_jobs()
        assert await verdicts(upload) == []
        assert await sql.value("SELECT count(*) FROM dead_jobs") == 0

    async def test_before_they_were_looked_at_nothing_is_suggested(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        item = await make_listing(seller, sql)
        reply = await seller.get(f"/listings/{item['id']}/category-suggestions")
        assert (reply.status_code, reply.json()) == (200, {"items": [], "tags": []})
