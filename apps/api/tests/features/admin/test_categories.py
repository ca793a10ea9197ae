"""Editing the tree of categories: whole, seen by everybody, and listings follow."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from memi.admin import category_jobs
from memi.catalog import seeding
from memi.catalog.service import Catalog
from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.runtime import Runtime
from support.items import make_listing
from support.people import People, Person
from support.sql import Sql

RunJobs = Callable[[], Awaitable[None]]
NAME = {"az": "Ponçolar", "en": "Ponchos", "ru": "Пончо"}
HOOD = {"key": "hood", "type": "boolean", "label": {"az": "Kapüşon", "en": "Hood", "ru": "Капюшон"}, "filterable": True}


def slug() -> str:
    return f"ponchos-{uuid4().hex[:8]}"


async def made(admin: Person, parent: str | None = "women-clothes", **changes: Any) -> dict[str, Any]:
    body = {"slug": slug(), "parent": parent, "name": NAME, **changes}
    reply = await admin.post("/admin/categories", body)
    assert reply.status_code == 201, reply.text
    return reply.json()


async def change(admin: Person, name: str, body: dict[str, Any], **options: Any) -> httpx.Response:
    return await admin.patch(f"/admin/categories/{name}", body, **options)


async def delete(admin: Person, name: str, move_to: str | None = None, **options: Any) -> httpx.Response:
    query = f"?move_to={move_to}" if move_to else ""
    return await admin.delete(f"/admin/categories/{name}{query}", **options)


async def stored(sql: Sql) -> list[dict[str, Any]]:
    return await sql.rows("SELECT * FROM categories ORDER BY slug")


async def public(client: httpx.AsyncClient, name: str) -> httpx.Response:
    return await client.get(f"/api/v1/categories/{name}?lang=en")


async def found(client: httpx.AsyncClient, query: str) -> list[str]:
    return [item["id"] for item in (await client.get(f"/api/v1/listings?limit=100&{query}")).json()["items"]]


def codes(reply: httpx.Response) -> list[tuple[str, str]]:
    assert reply.status_code == 422, reply.text
    return [(error["pointer"], error["code"]) for error in reply.json()["errors"]]


class TestWhoMay:
    async def test_only_administrators(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        before = await stored(sql)
        path, body = "/admin/categories", {"slug": slug(), "name": NAME}
        calls = (("POST", path, body), ("PATCH", f"{path}/women", {"position": 9}), ("DELETE", f"{path}/women", None))
        for method, where, sent in calls:
            assert (await client.request(method, f"/api/v1{where}", json=sent)).status_code == 401
            for person in (await people.new(), await people.moderator()):
                reply = await person.request(method, where, json=sent)
                assert (reply.status_code, reply.json()["code"]) == (403, "permission_denied")
        assert await stored(sql) == before


class TestMaking:
    async def test_one_is_there_at_once_for_everybody(
        self, people: People, client: httpx.AsyncClient, sql: Sql
    ) -> None:
        admin, seller = await people.admin(), await people.new()
        category = await made(admin, attributes=[HOOD], position=3)
        shown = (await public(client, category["slug"])).json()
        assert shown["name"] == "Ponchos"
        assert [step["slug"] for step in shown["path"]] == ["women", "women-clothes", category["slug"]]
        assert {"season", "hood"} <= {attribute["key"] for attribute in shown["attributes"]}
        assert shown["size_group"] == "women_clothes"
        listing = await make_listing(seller, sql, category=category["slug"], attributes={"hood": True})
        assert await found(client, f"category={category['slug']}&attr[hood]=true") == [listing["id"]]
        (entry,) = await sql.rows("SELECT * FROM audit_log WHERE target_id = $1", category["slug"])
        assert (entry["action"], str(entry["actor_id"])) == ("category.create", admin.id)
        assert json.loads(entry["after"])["name"] == NAME
        own = await admin.get(f"/admin/categories/{category['slug']}")
        assert own.json() == category
        assert own.headers["etag"] == '"1"'

    async def test_a_slug_is_used_once(self, people: People, sql: Sql) -> None:
        admin = await people.admin()
        body = {"slug": slug(), "parent": "women-clothes", "name": NAME}
        replies = await asyncio.gather(*(admin.post("/admin/categories", body) for _ in range(4)))
        assert sorted(reply.status_code for reply in replies) == [201, 409, 409, 409]
        assert {reply.json()["code"] for reply in replies if reply.status_code == 409} == {"slug_taken"}

    @pytest.mark.parametrize(
        ("changes", "wrong"),
        [
            ({"parent": "no-such"}, [("/parent", "unknown_value")]),
            ({"parent": None}, [("/size_group", "required")]),
            ({"size_group": "wands"}, [("/size_group", "unknown_value")]),
            ({"attributes": [{**HOOD, "key": "season"}]}, [("/attributes", "repeated")]),
            ({"attributes": [HOOD, HOOD]}, [("/attributes", "repeated")]),
            ({"attributes": [{**HOOD, "type": "enum"}]}, [("/attributes/0", "bad_options")]),
            ({"attributes": [{**HOOD, "unit": "cm"}]}, [("/attributes/0", "bad_unit")]),
            ({"attributes": [{**HOOD, "label": {"az": "x", "en": "x"}}]}, [("/attributes/0/label/ru", "required")]),
            ({"name": {"az": "x", "en": " ", "ru": "x"}}, [("/name/en", "too_short")]),
            ({"slug": "Ponchos"}, [("/slug", "bad_format")]),
            ({"image_url": "javascript:alert(1)"}, [("/image_url", "bad_format")]),
            ({"position": -1}, [("/position", "out_of_range")]),
        ],
    )
    async def test_what_is_wrong(
        self, people: People, sql: Sql, changes: dict[str, Any], wrong: list[tuple[str, str]]
    ) -> None:
        before = await stored(sql)
        body = {"slug": slug(), "parent": "women-clothes", "name": NAME, **changes}
        assert codes(await (await people.admin()).post("/admin/categories", body)) == wrong
        assert await stored(sql) == before

    async def test_not_deeper_than_six(self, people: People) -> None:
        admin, parent = await people.admin(), "women-clothes"
        for _ in range(4):
            parent = (await made(admin, parent))["slug"]
        reply = await admin.post("/admin/categories", {"slug": slug(), "parent": parent, "name": NAME})
        assert codes(reply) == [("/parent", "too_deep")]


class TestChanging:
    async def test_cards_follow_a_new_name(
        self, people: People, client: httpx.AsyncClient, sql: Sql, run_jobs: RunJobs
    ) -> None:
        admin = await people.admin()
        category = await made(admin)
        listing = (await make_listing(await people.new(), sql, category=category["slug"]))["id"]
        word = f"zibun{uuid4().hex[:6]}"
        reply = await change(admin, category["slug"], {"name": {**NAME, "az": word}, "reason": "As people call it"})
        assert (reply.status_code, reply.json()["version"], reply.headers["etag"]) == (200, 2, '"2"')
        assert (await client.get(f"/api/v1/categories/{category['slug']}?lang=az")).json()["name"] == word
        await run_jobs()
        assert await found(client, f"q={word}") == [listing]
        page = (await client.get(f"/api/v1/listings/{listing}")).json()
        assert page["category"]["name"] == word
        (entry,) = await sql.rows(
            "SELECT * FROM audit_log WHERE target_id = $1 AND reason IS NOT NULL", category["slug"]
        )
        assert json.loads(entry["before"])["name"]["az"] == "Ponçolar"
        assert json.loads(entry["after"])["name"]["az"] == word

    async def test_cards_follow_when_all_below_it_move(
        self, people: People, client: httpx.AsyncClient, sql: Sql, run_jobs: RunJobs
    ) -> None:
        admin = await people.admin()
        above = await made(admin)
        leaf = await made(admin, above["slug"])
        listing = (await make_listing(await people.new(), sql, category=leaf["slug"]))["id"]
        reply = await change(admin, above["slug"], {"parent": "men-clothes"})
        assert (reply.status_code, reply.json()["parent"]) == (200, "men-clothes")
        await run_jobs()
        for category in ("men", "men-clothes", above["slug"], leaf["slug"]):
            assert listing in await found(client, f"category={category}")
        assert listing not in await found(client, "category=women")
        path = (await client.get(f"/api/v1/listings/{listing}")).json()["category"]["path"]
        assert [step["slug"] for step in path] == ["men", "men-clothes", above["slug"], leaf["slug"]]

    async def test_cards_are_made_again_when_every_process_must_know(
        self, people: People, sql: Sql, run_jobs: RunJobs
    ) -> None:
        admin = await people.admin()
        category = await made(admin)
        await change(admin, category["slug"], {"name": {**NAME, "en": "Capes"}})
        await run_jobs()
        rows = await sql.rows(
            "SELECT finished_at FROM search_replays WHERE category_id = $1 ORDER BY created_at, id",
            UUID(category["id"]),
        )
        assert [row["finished_at"] is None for row in rows] == [False, True]
        late = (
            "SELECT count(*) FROM pgqueuer WHERE execute_after > now() + interval '30 seconds' AND entrypoint LIKE $1"
        )
        assert await sql.value(late, "search.replay_jobs.%") >= 1

    async def test_a_place_alone_makes_no_card_again(self, people: People, sql: Sql, run_jobs: RunJobs) -> None:
        admin = await people.admin()
        category = await made(admin)
        assert (await change(admin, category["slug"], {"position": 7})).json()["position"] == 7
        await run_jobs()
        query = "SELECT count(*) FROM search_replays WHERE category_id = $1"
        assert await sql.value(query, UUID(category["id"])) == 0

    async def test_no_cycle_even_when_two_move_at_once(self, people: People, sql: Sql) -> None:
        admin = await people.admin()
        itself = (await made(admin))["slug"]
        for _ in range(4):
            one, other = await made(admin), await made(admin)
            replies = await asyncio.gather(
                change(admin, one["slug"], {"parent": other["slug"]}),
                change(admin, other["slug"], {"parent": one["slug"]}),
            )
            assert sorted(reply.status_code for reply in replies) == [200, 422]
            refused = next(reply for reply in replies if reply.status_code == 422)
            assert codes(refused) == [("/parent", "cycle")]
        assert codes(await change(admin, itself, {"parent": itself})) == [("/parent", "cycle")]
        reachable = await sql.value(
            "WITH RECURSIVE t AS (SELECT id FROM categories WHERE parent_id IS NULL"
            " UNION ALL SELECT c.id FROM categories c JOIN t ON c.parent_id = t.id) SELECT count(*) FROM t"
        )
        assert reachable == await sql.value("SELECT count(*) FROM categories")

    async def test_a_stale_version(self, people: People, sql: Sql) -> None:
        admin = await people.admin()
        category = await made(admin)
        await change(admin, category["slug"], {"position": 1})
        before = await stored(sql)
        for reply in (
            await change(admin, category["slug"], {"position": 2}, headers={"If-Match": '"1"'}),
            await delete(admin, category["slug"], headers={"If-Match": '"1"'}),
        ):
            assert (reply.status_code, reply.json()["code"]) == (412, "stale_version")
        assert await stored(sql) == before
        assert (await change(admin, category["slug"], {"position": 2}, headers={"If-Match": '"2"'})).status_code == 200

    async def test_what_would_break_what_is_below(self, people: People, sql: Sql) -> None:
        admin = await people.admin()
        above = await made(admin)
        await made(admin, above["slug"], attributes=[HOOD])
        before = await stored(sql)
        assert codes(await change(admin, above["slug"], {"attributes": [HOOD]})) == [("/attributes", "repeated")]
        assert codes(await change(admin, above["slug"], {"parent": None})) == [("/size_group", "required")]
        assert codes(await change(admin, above["slug"], {"name": None})) == [("/name", "required")]
        assert codes(await change(admin, above["slug"], {"slug": "other"})) == [("/slug", "unknown_field")]
        assert await stored(sql) == before

    async def test_later_editions_of_the_data_leave_it_alone(
        self, people: People, sql: Sql, database_urls: EmbeddedUrls
    ) -> None:
        admin = await people.admin()
        assert (await change(admin, "kids", {"name": {**NAME, "en": "Children"}})).status_code == 200
        assert (await delete(admin, "women-clothes-dresses-office")).status_code == 200
        await sql.execute("UPDATE reference_state SET content_hash = 'older' WHERE name = 'bundled'")
        assert await seeding.seed(database_urls.migrator) is True
        assert await sql.value("SELECT name ->> 'en' FROM categories WHERE slug = 'kids'") == "Children"
        query = "SELECT count(*) FROM categories WHERE slug = $1"
        assert await sql.value(query, "women-clothes-dresses-office") == 0
        assert await sql.value(query, "women-clothes-dresses-casual") == 1


class TestDeleting:
    async def test_an_empty_one(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        admin = await people.admin()
        category = await made(admin)
        reply = await delete(admin, category["slug"])
        assert (reply.status_code, reply.json()["status"]) == (200, "DELETED")
        assert (await public(client, category["slug"])).status_code == 404
        assert (await delete(admin, category["slug"])).status_code == 404
        actions = await sql.rows("SELECT action FROM audit_log WHERE target_id = $1 ORDER BY at, id", category["slug"])
        assert [row["action"] for row in actions] == ["category.create", "category.delete"]

    async def test_not_one_with_others_in_it(self, people: People, sql: Sql) -> None:
        admin, before = await people.admin(), await stored(sql)
        reply = await delete(admin, "women-clothes", "men-clothes")
        assert (reply.status_code, reply.json()["code"]) == (409, "category_has_children")
        assert await stored(sql) == before

    async def test_a_used_one_says_where_its_listings_go(
        self, people: People, client: httpx.AsyncClient, sql: Sql
    ) -> None:
        admin, seller = await people.admin(), await people.new()
        source, target = await made(admin, attributes=[HOOD]), await made(admin)
        listing = await make_listing(
            seller, sql, category=source["slug"], attributes={"hood": True, "season": ["WINTER"]}
        )
        draft = await make_listing(seller, sql, publish=False, category=source["slug"])
        gone = await make_listing(seller, sql, category=source["slug"])
        await seller.delete(f"/listings/{gone['id']}")
        before = await stored(sql)
        reply = await delete(admin, source["slug"])
        assert (reply.status_code, reply.json()["code"]) == (409, "category_in_use")
        for wrong in ("no-such", source["slug"], "women"):
            assert [pointer for pointer, _ in codes(await delete(admin, source["slug"], wrong))] == ["/move_to"]
        assert await stored(sql) == before
        reply = await delete(admin, source["slug"], target["slug"])
        assert reply.json() == {"slug": source["slug"], "status": "DELETED", "moved_to": target["slug"], "moved": 3}
        page = (await client.get(f"/api/v1/listings/{listing['id']}")).json()
        assert (page["category"]["slug"], page["attributes"]) == (target["slug"], {"season": ["WINTER"]})
        assert page["version"] == listing["version"] + 1
        assert await found(client, f"category={target['slug']}") == [listing["id"]]
        assert (await seller.get(f"/listings/{draft['id']}")).json()["category"]["slug"] == target["slug"]
        assert (await public(client, source["slug"])).status_code == 404

    async def test_many_are_moved_by_a_job_and_none_comes_meanwhile(
        self, people: People, client: httpx.AsyncClient, sql: Sql, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(category_jobs, "BATCH", 2)
        monkeypatch.setattr(category_jobs, "SLICE_SECONDS", 0.0)
        admin, seller = await people.admin(), await people.new()
        source, target = await made(admin), await made(admin)
        ids = [(await make_listing(seller, sql, category=source["slug"]))["id"] for _ in range(7)]
        reply = await delete(admin, source["slug"], target["slug"])
        assert (reply.status_code, reply.json()["status"], reply.json()["moved"]) == (202, "MOVING", 2)
        refused = await seller.patch(f"/listings/{ids[6]}", {"category": source["slug"]})
        assert codes(refused) == [("/category", "unknown_value")]
        late = await change(admin, source["slug"], {"position": 1})
        assert (late.status_code, late.json()["code"]) == (409, "category_moving")
        child = await admin.post("/admin/categories", {"slug": slug(), "parent": source["slug"], "name": NAME})
        assert codes(child) == [("/parent", "unknown_value")]
        assert (await delete(admin, target["slug"])).json()["code"] == "category_is_target"
        await run_jobs()
        assert sorted(await found(client, f"category={target['slug']}")) == sorted(ids)
        assert (await public(client, source["slug"])).status_code == 404
        assert await sql.value("SELECT count(*) FROM dead_jobs") == 0

    async def test_what_was_left_lying_is_taken_up(
        self, people: People, sql: Sql, runtime: Runtime, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(category_jobs, "BATCH", 1)
        admin, seller = await people.admin(), await people.new()
        source, target = await made(admin), await made(admin)
        for _ in range(3):
            await make_listing(seller, sql, category=source["slug"])
        assert (await delete(admin, source["slug"], target["slug"])).status_code == 202
        await sql.execute("DELETE FROM pgqueuer")
        await category_jobs.resume_emptying.run(runtime)
        await run_jobs()
        assert await sql.value("SELECT count(*) FROM categories WHERE slug = $1", source["slug"]) == 0

    async def test_sellers_at_the_same_moment_lose_nothing(
        self, people: People, sql: Sql, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Listings are made in a category while it is emptied: each is refused, or goes with the others."""
        monkeypatch.setattr(category_jobs, "BATCH", 2)
        admin, sellers = await people.admin(), [await people.new() for _ in range(4)]
        source, target = await made(admin), await made(admin)

        async def sell(seller: Person) -> list[str]:
            ids: list[str] = []
            for _ in range(5):
                body = {"title": "Wool poncho", "category": source["slug"]}
                reply = await seller.post("/listings", body)
                assert reply.status_code in (201, 422), reply.text
                if reply.status_code == 201:
                    ids.append(reply.json()["id"])
            return ids

        async def remove() -> None:
            await asyncio.sleep(0.1)
            assert (await delete(admin, source["slug"], target["slug"])).status_code in (200, 202)

        kept, _ = await asyncio.gather(asyncio.gather(*(sell(seller) for seller in sellers)), remove())
        await run_jobs()
        ids = [UUID(item) for some in kept for item in some]
        assert len(ids) > 0
        query = "SELECT count(*) FROM listings WHERE id = ANY($1) AND category_id = $2"
        assert await sql.value(query, ids, UUID(target["id"])) == len(ids)
        assert await sql.value("SELECT count(*) FROM categories WHERE slug = $1", source["slug"]) == 0


async def test_a_process_that_missed_it_finds_a_new_category_when_it_meets_it(
    people: People, sql: Sql, runtime: Runtime
) -> None:
    seller = await people.new()
    listing = await make_listing(seller, sql)
    catalog, unknown = runtime.adapters.get(Catalog), uuid4()
    before = await catalog.newest()
    await sql.execute(
        "INSERT INTO categories (id, slug, parent_id, name, position) SELECT $1, $2, id, name, 99 FROM categories"
        " WHERE slug = 'women-clothes'",
        unknown,
        slug(),
    )
    await sql.execute("UPDATE listings SET category_id = $1 WHERE id = $2", unknown, UUID(listing["id"]))
    assert await catalog.snapshot() is before  # nobody has told it
    assert (await seller.post(f"/listings/{listing['id']}/reserve")).status_code == 200
    assert (await catalog.snapshot()).category_by_id(unknown) is not None
