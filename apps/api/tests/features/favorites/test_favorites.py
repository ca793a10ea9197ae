"""PUT/DELETE /listings/{id}/favorite and one's own favourites."""

import asyncio
from uuid import UUID, uuid4

import httpx

from memi.favorites import service
from memi.listings import service as listings
from memi.platform.runtime import Runtime
from memi.users import service as users
from support.items import make_listing
from support.people import People
from support.sql import Sql

COUNT = "SELECT favorite_count FROM listing_counters WHERE listing_id = $1"
ROWS = "SELECT count(*) FROM favorites WHERE listing_id = $1"


class TestLiking:
    async def test_anonymous(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        listing = (await make_listing(await people.new(), sql))["id"]
        for method in ("PUT", "DELETE"):
            reply = await client.request(method, f"/api/v1/listings/{listing}/favorite")
            assert (reply.status_code, reply.json()["code"]) == (401, "not_authenticated")
        assert await sql.value(COUNT, listing) == 0

    async def test_again_and_again_counts_once(self, people: People, sql: Sql) -> None:
        seller, buyer = await people.new(), await people.new()
        made = await make_listing(seller, sql)
        path = f"/listings/{made['id']}/favorite"
        for method, count in (("PUT", 1), ("PUT", 1), ("DELETE", 0), ("DELETE", 0), ("PUT", 1)):
            reply = await buyer.request(method, path)
            assert (reply.status_code, reply.content) == (204, b"")
            assert await sql.value(COUNT, made["id"]) == await sql.value(ROWS, made["id"]) == count
        mine = (await seller.get("/users/me/listings")).json()["items"][0]
        assert (mine["favorite_count"], mine["version"]) == (1, made["version"])

    async def test_what_one_cannot_see(self, people: People, sql: Sql) -> None:
        seller, buyer, moderator = await people.new(), await people.new(), await people.moderator()
        draft = (await make_listing(seller, sql, publish=False))["id"]
        for listing in (draft, str(uuid4())):
            for method in ("PUT", "DELETE"):
                reply = await buyer.request(method, f"/listings/{listing}/favorite")
                assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
        assert await sql.value(ROWS, draft) == 0
        assert (await moderator.put(f"/listings/{draft}/favorite")).status_code == 204
        assert (await seller.put(f"/listings/{draft}/favorite")).status_code == 204

    async def test_a_hidden_one_can_still_be_dropped(self, people: People, sql: Sql) -> None:
        seller, buyer = await people.new(), await people.new()
        listing = (await make_listing(seller, sql))["id"]
        await buyer.put(f"/listings/{listing}/favorite")
        await seller.post(f"/listings/{listing}/unpublish")
        assert (await buyer.put(f"/listings/{listing}/favorite")).status_code == 404
        assert (await buyer.delete(f"/listings/{listing}/favorite")).status_code == 204
        assert await sql.value(COUNT, listing) == 0
        assert (await buyer.delete(f"/listings/{listing}/favorite")).status_code == 404

    async def test_the_count_is_exact_when_fifty_like_at_once(self, people: People, sql: Sql) -> None:
        listing = (await make_listing(await people.new(), sql))["id"]
        path = f"/listings/{listing}/favorite"
        crowd = [await people.new() for _ in range(10)]
        # Each person's five calls race each other as well.
        replies = await asyncio.gather(*(person.put(path) for person in crowd * 5))
        assert {reply.status_code for reply in replies} == {204}
        assert await sql.value(COUNT, listing) == await sql.value(ROWS, listing) == 10
        replies = await asyncio.gather(
            *(person.request(method, path) for person in crowd for method in ("DELETE", "PUT", "DELETE", "PUT", "PUT"))
        )
        assert {reply.status_code for reply in replies} == {204}
        assert await sql.value(COUNT, listing) == await sql.value(ROWS, listing)


class TestMine:
    async def test_anonymous(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/api/v1/users/me/favorites")).status_code == 401

    async def test_the_latest_first_in_pages(self, people: People, sql: Sql) -> None:
        seller, buyer = await people.new(), await people.new()
        made = [await make_listing(seller, sql, title=f"Coat number {number}") for number in range(5)]
        for item in made:
            await buyer.put(f"/listings/{item['id']}/favorite")
        first = (await buyer.get("/users/me/favorites?limit=2")).json()
        await buyer.put(f"/listings/{(await make_listing(seller, sql))['id']}/favorite")
        seen = list(first["items"])
        cursor = first["next_cursor"]
        while cursor:
            page = (await buyer.get(f"/users/me/favorites?limit=2&cursor={cursor}")).json()
            seen += page["items"]
            cursor = page["next_cursor"]
        assert [item["id"] for item in seen] == [item["id"] for item in reversed(made)]
        newest = seen[0]
        assert newest["favorited_at"]
        assert {key: newest[key] for key in ("available", "status", "title", "price")} == {
            "available": True,
            "status": "ACTIVE",
            "title": "Coat number 4",
            "price": {"amount": 4500, "currency": "AZN"},
        }
        assert newest["cover"]["url"]
        assert (await seller.get("/users/me/favorites")).json() == {"items": [], "next_cursor": None}
        for query in ("?limit=0", "?limit=101", "?sort=price"):
            assert (await buyer.get(f"/users/me/favorites{query}")).status_code == 422
        stolen = await seller.get(f"/users/me/favorites?cursor={first['next_cursor']}")
        assert (stolen.status_code, stolen.json()["code"]) == (422, "invalid_cursor")

    async def test_what_is_no_longer_shown_keeps_its_place_and_says_nothing(
        self, people: People, sql: Sql, runtime: Runtime
    ) -> None:
        seller, blocked, buyer = await people.new(), await people.new(), await people.new()
        sold, removed = (await make_listing(seller, sql))["id"], (await make_listing(seller, sql))["id"]
        theirs = (await make_listing(blocked, sql))["id"]
        for listing in (sold, removed, theirs):
            await buyer.put(f"/listings/{listing}/favorite")
        await seller.post(f"/listings/{sold}/sold")
        async with runtime.unit_of_work() as session:
            await listings.remove(session, UUID(removed))
            await users.block(session, UUID(blocked.id))
        items = (await buyer.get("/users/me/favorites")).json()["items"]
        assert [(item["id"], item["available"], item["status"]) for item in items] == [
            (theirs, False, None),
            (removed, False, None),
            (sold, True, "SOLD"),
        ]
        assert items[0]["title"] is items[0]["price"] is items[0]["cover"] is None


async def test_favouriters_in_batches(people: People, sql: Sql, runtime: Runtime) -> None:
    listing = (await make_listing(await people.new(), sql))["id"]
    crowd = [await people.new() for _ in range(5)]
    for person in crowd:
        await person.put(f"/listings/{listing}/favorite")
    found: list[UUID] = []
    after: UUID | None = None
    async with runtime.unit_of_work() as session:
        while batch := await service.favouriters(session, UUID(listing), after, 2):
            assert len(batch) <= 2
            found += batch
            after = batch[-1]
    assert found == sorted(UUID(person.id) for person in crowd)
