"""GET /listings/{id}, who sees what, favourites, conditional reads and what caches may keep."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import httpx
import pytest

from memi.listings import service as listings
from memi.platform.runtime import Runtime
from memi.search.service import Browser
from memi.users import service as users
from support.items import make_listing
from support.people import People, Person
from support.sql import Sql

PUBLIC = "public, max-age=5"
PRIVATE = "private, no-store"


async def listed(client: httpx.AsyncClient, seller: Person) -> list[str]:
    """Ids that browse shows of a seller, checked to be those of their own page."""
    reply = await client.get(f"/api/v1/listings?seller={seller.id}")
    assert reply.status_code == 200
    return [item["id"] for item in reply.json()["items"]]


async def statuses(listing_id: str, *viewers: Person | httpx.AsyncClient) -> list[int]:
    """What reading a listing by id answers to each."""
    found: list[int] = []
    for viewer in viewers:
        path = f"/listings/{listing_id}"
        reply = await (viewer.get(path) if isinstance(viewer, Person) else viewer.get(f"/api/v1{path}"))
        found.append(reply.status_code)
    return found


class TestWhoSeesWhat:
    @pytest.fixture(scope="class")
    async def everyone(
        self, client: httpx.AsyncClient, people: People
    ) -> tuple[httpx.AsyncClient, Person, Person, Person]:
        """Anonymous, a stranger, the owner and a moderator."""
        return client, await people.new("Stranger"), await people.new("Owner"), await people.moderator()

    async def test_draft(self, everyone: tuple[httpx.AsyncClient, Person, Person, Person], sql: Sql) -> None:
        owner = everyone[2]
        made = await make_listing(owner, sql, publish=False)
        assert await statuses(made["id"], *everyone) == [404, 404, 200, 200]
        assert await listed(everyone[0], owner) == []

    async def test_each_public_status(
        self, everyone: tuple[httpx.AsyncClient, Person, Person, Person], people: People, sql: Sql
    ) -> None:
        anonymous, stranger, _, moderator = everyone
        owner = await people.new("Owner")
        viewers = (anonymous, stranger, owner, moderator)
        made = (await make_listing(owner, sql))["id"]
        assert (await statuses(made, *viewers), await listed(anonymous, owner)) == ([200] * 4, [made])
        assert (await owner.post(f"/listings/{made}/reserve")).status_code == 200
        assert (await statuses(made, *viewers), await listed(anonymous, owner)) == ([200] * 4, [made])
        shown = (await anonymous.get(f"/api/v1/listings?seller={owner.id}")).json()["items"][0]
        assert shown["status"] == "RESERVED"
        assert (await owner.post(f"/listings/{made}/sold")).status_code == 200
        assert (await statuses(made, *viewers), await listed(anonymous, owner)) == ([200] * 4, [])
        assert (await anonymous.get(f"/api/v1/listings/{made}")).json()["status"] == "SOLD"

    async def test_unpublished_and_deleted(
        self, everyone: tuple[httpx.AsyncClient, Person, Person, Person], people: People, sql: Sql
    ) -> None:
        anonymous, stranger, _, moderator = everyone
        owner = await people.new("Owner")
        viewers = (anonymous, stranger, owner, moderator)
        made = (await make_listing(owner, sql))["id"]
        await owner.post(f"/listings/{made}/unpublish")
        assert (await statuses(made, *viewers), await listed(anonymous, owner)) == ([404, 404, 200, 200], [])
        await owner.post(f"/listings/{made}/publish")
        assert await listed(anonymous, owner) == [made]
        await owner.delete(f"/listings/{made}")
        assert (await statuses(made, *viewers), await listed(anonymous, owner)) == ([404, 404, 200, 200], [])

    async def test_removed_and_restored(
        self, everyone: tuple[httpx.AsyncClient, Person, Person, Person], people: People, sql: Sql, runtime: Runtime
    ) -> None:
        anonymous, stranger, _, moderator = everyone
        owner = await people.new("Owner")
        listing = await make_listing(owner, sql)
        async with runtime.unit_of_work() as session:
            await listings.remove(session, _uuid(listing["id"]))
        assert await statuses(listing["id"], anonymous, stranger, owner, moderator) == [404, 404, 200, 200]
        assert await listed(anonymous, owner) == []
        async with runtime.unit_of_work() as session:
            await listings.restore(session, _uuid(listing["id"]))
        assert await statuses(listing["id"], anonymous, stranger, owner, moderator) == [200] * 4

    async def test_a_blocked_seller_is_hidden_at_once_and_shown_again(
        self, everyone: tuple[httpx.AsyncClient, Person, Person, Person], people: People, sql: Sql, runtime: Runtime
    ) -> None:
        anonymous, stranger, _, moderator = everyone
        owner = await people.new("Owner")
        active, sold = (await make_listing(owner, sql))["id"], (await make_listing(owner, sql))["id"]
        await owner.post(f"/listings/{sold}/sold")
        async with runtime.unit_of_work() as session:
            await users.block(session, _uuid(owner.id))
        for listing_id in (active, sold):
            assert await statuses(listing_id, anonymous, stranger, moderator) == [404, 404, 200]
        assert await listed(anonymous, owner) == []
        assert (await anonymous.get(f"/api/v1/users/{owner.id}/listings")).status_code == 404
        async with runtime.unit_of_work() as session:
            await users.unblock(session, _uuid(owner.id))
        assert await statuses(sold, anonymous, stranger, moderator) == [200] * 3
        assert await listed(anonymous, owner) == [active]

    async def test_what_is_the_owners_alone_asks_whether_the_session_stands(
        self, people: People, client: httpx.AsyncClient
    ) -> None:
        owner = await people.new("Owner")
        draft = (await owner.post("/listings", {"title": "Red shoes"})).json()["id"]
        assert await statuses(draft, owner) == [200]
        await client.post("/api/v1/auth/logout", json={"refresh_token": owner.refresh_token})
        reply = await owner.get(f"/listings/{draft}")
        assert (reply.status_code, reply.json()["code"]) == (401, "invalid_token")

    async def test_nothing_there(self, everyone: tuple[httpx.AsyncClient, Person, Person, Person]) -> None:
        assert await statuses("01890a5d-ac96-774b-bcce-b302099a8057", *everyone) == [404] * 4
        assert (await everyone[0].get("/api/v1/listings/not-an-id")).status_code == 404


class TestSellerListings:
    async def test_newest_first_in_pages(self, client: httpx.AsyncClient, people: People, sql: Sql) -> None:
        seller = await people.new()
        made = [(await make_listing(seller, sql))["id"] for _ in range(3)]
        path = f"/api/v1/users/{seller.id}/listings"
        first = (await client.get(f"{path}?limit=2")).json()
        assert [item["id"] for item in first["items"]] == made[:0:-1]
        second = (await client.get(path, params={"cursor": first["next_cursor"]})).json()
        assert ([item["id"] for item in second["items"]], second["next_cursor"]) == (made[:1], None)

    async def test_a_person_without_any_and_nobody(self, client: httpx.AsyncClient, people: People) -> None:
        person = await people.new()
        assert (await client.get(f"/api/v1/users/{person.id}/listings")).json() == {"items": [], "next_cursor": None}
        nobody = await client.get("/api/v1/users/01890a5d-ac96-774b-bcce-b302099a8057/listings")
        assert (nobody.status_code, nobody.json()["code"]) == (404, "not_found")

    async def test_unknown_parameters(self, client: httpx.AsyncClient, people: People) -> None:
        person = await people.new()
        reply = await client.get(f"/api/v1/users/{person.id}/listings?color=RED&limit=0")
        assert reply.status_code == 422
        assert {(error["pointer"], error["code"]) for error in reply.json()["errors"]} == {
            ("/color", "unknown_field"),
            ("/limit", "out_of_range"),
        }


class TestShapes:
    async def test_padded_queries_are_not_kept(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        kept = runtime.adapters.get(Browser)._plans
        for padding in (100, 5000):
            assert (await client.get(f"/api/v1/listings?q={'+' * padding}palto")).status_code == 200
        assert sorted(len(query) for query in kept if query.endswith(b"palto")) == [107]

    async def test_card(self, client: httpx.AsyncClient, people: People, sql: Sql) -> None:
        seller = await people.new()
        made = await make_listing(seller, sql, brand="ZARA", color="RED", city="BAKU", size="M")
        card = (await client.get(f"/api/v1/listings?seller={seller.id}")).json()["items"][0]
        cover = {name: made["images"][0][name] for name in ("url", "width", "height", "blurhash")}
        assert card == {
            "id": made["id"],
            "status": "ACTIVE",
            "title": made["title"],
            "price": {"amount": 4500, "currency": "AZN"},
            "condition": "VERY_GOOD",
            "size": "M",
            "brand": made["brand"],
            "color": "RED",
            "city": "BAKU",
            "category": made["category"]["slug"],
            "cover": cover,
            "seller": {"id": seller.id, "name": "Aysel", "avatar_url": None},
            "published_at": made["published_at"],
            "favorite_count": 0,
            "is_favorite": False,
        }
        assert card["published_at"].endswith("Z")

    async def test_page_is_the_listing_as_its_owner_has_it(
        self, client: httpx.AsyncClient, people: People, sql: Sql
    ) -> None:
        made = await make_listing(await people.new(), sql, description='Quotes " and \\ and ə')
        reply = await client.get(f"/api/v1/listings/{made['id']}")
        assert reply.json() == {**made, "is_favorite": False}

    async def test_favourites_are_counted_and_marked_for_the_caller(
        self, client: httpx.AsyncClient, people: People, sql: Sql
    ) -> None:
        seller, fan, other = await people.new(), await people.new(), await people.new()
        made = await make_listing(seller, sql)
        assert (await fan.put(f"/listings/{made['id']}/favorite")).status_code == 204
        for path in (f"/listings?seller={seller.id}", f"/users/{seller.id}/listings", f"/listings/{made['id']}"):
            seen: list[tuple[int, bool]] = []
            for reply in (await fan.get(path), await other.get(path), await client.get(f"/api/v1{path}")):
                body = reply.json()
                item = body["items"][0] if "items" in body else body
                seen.append((item["favorite_count"], item["is_favorite"]))
            assert seen == [(1, True), (1, False), (1, False)]

    async def test_an_edit_and_a_new_name_show(
        self, client: httpx.AsyncClient, people: People, sql: Sql, run_jobs: Callable[[], Awaitable[None]]
    ) -> None:
        seller = await people.new()
        made = await make_listing(seller, sql)
        await seller.patch(f"/listings/{made['id']}", {"title": "Another title"})
        await seller.patch("/users/me", {"name": "Renamed"})
        await run_jobs()
        card = (await client.get(f"/api/v1/listings?seller={seller.id}")).json()["items"][0]
        page = (await client.get(f"/api/v1/listings/{made['id']}")).json()
        assert (card["title"], card["seller"]["name"]) == ("Another title", "Renamed")
        assert (page["title"], page["seller"]["name"], page["version"]) == (
            "Another title",
            "Renamed",
            made["version"] + 1,
        )


class TestCaching:
    async def test_anonymous_replies_may_be_kept_shortly(
        self, client: httpx.AsyncClient, people: People, sql: Sql
    ) -> None:
        seller = await people.new()
        made = await make_listing(seller, sql)
        for path in ("/listings", f"/listings/{made['id']}", f"/users/{seller.id}/listings"):
            reply = await client.get(f"/api/v1{path}")
            assert reply.headers["cache-control"].startswith(PUBLIC)
            assert {"authorization", "accept-encoding"} <= {
                name.strip().lower() for name in reply.headers["vary"].split(",")
            }
            again = await client.get(f"/api/v1{path}", headers={"If-None-Match": f'"x", {reply.headers["etag"]}'})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == reply.headers["etag"]
            assert again.headers["cache-control"].startswith(PUBLIC)
            signed_in = await seller.get(path)
            assert signed_in.headers["cache-control"] == PRIVATE

    async def test_the_tag_changes_with_the_listing_and_its_numbers(
        self, client: httpx.AsyncClient, people: People, sql: Sql
    ) -> None:
        seller, fan = await people.new(), await people.new()
        made = await make_listing(seller, sql)
        path = f"/api/v1/listings/{made['id']}"
        tags = {(await client.get(path)).headers["etag"]}
        await fan.put(f"/listings/{made['id']}/favorite")
        tags.add((await client.get(path)).headers["etag"])
        await seller.patch(f"/listings/{made['id']}", {"title": "Another title"})
        tags.add((await client.get(path)).headers["etag"])
        assert len(tags) == 3
        owners = await seller.get(f"/listings/{made['id']}")
        patched = await seller.patch(
            f"/listings/{made['id']}", {"title": "Third title"}, headers={"If-Match": owners.headers["etag"]}
        )
        assert patched.status_code == 200

    async def test_a_bad_token_is_refused(self, client: httpx.AsyncClient) -> None:
        for path in ("/listings", "/listings/01890a5d-ac96-774b-bcce-b302099a8057"):
            reply = await client.get(f"/api/v1{path}", headers={"Authorization": "Bearer nonsense"})
            assert (reply.status_code, reply.json()["code"]) == (401, "invalid_token")


def _uuid(value: str) -> UUID:
    return UUID(value)
