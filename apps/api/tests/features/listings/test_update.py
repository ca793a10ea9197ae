"""PATCH /listings/{id}, PUT /listings/{id}/images, DELETE and one's own list."""

import httpx

from memi.platform.runtime import Runtime
from support.items import make_listing
from support.people import People, Person
from support.sql import Sql
from support.uploads import make_upload


async def stored(sql: Sql, listing_id: str) -> list[dict[str, object]]:
    """The listing's row and pictures, to see that nothing changed."""
    return await sql.rows("SELECT * FROM listings WHERE id = $1", listing_id) + await sql.rows(
        "SELECT * FROM listing_images WHERE listing_id = $1 ORDER BY position", listing_id
    )


class TestPatch:
    async def test_anonymous_stranger_and_moderator_change_nothing(
        self, people: People, client: httpx.AsyncClient, sql: Sql
    ) -> None:
        seller, stranger, moderator = await people.new(), await people.new(), await people.moderator()
        shown = (await make_listing(seller, sql))["id"]
        draft = (await make_listing(seller, sql, publish=False))["id"]
        before = await stored(sql, shown) + await stored(sql, draft)
        change = {"title": "Mine now"}
        assert (await client.patch(f"/api/v1/listings/{shown}", json=change)).status_code == 401
        refused = await stranger.patch(f"/listings/{shown}", change)
        assert (refused.status_code, refused.json()["code"]) == (403, "not_owner")
        hidden = await stranger.patch(f"/listings/{draft}", change)
        assert (hidden.status_code, hidden.json()["code"]) == (404, "not_found")
        for listing_id in (shown, draft):
            refused = await moderator.patch(f"/listings/{listing_id}", change)
            assert (refused.status_code, refused.json()["code"]) == (403, "not_owner")
        assert await stored(sql, shown) + await stored(sql, draft) == before

    async def test_absent_fields_stay_and_null_clears(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        made = await make_listing(
            seller, sql, size="M", description="Warm", city="BAKU", location={"lat": 40.4, "lon": 49.8}
        )
        change = {"title": "Coat", "size": None, "description": None, "location": None}
        reply = await seller.patch(f"/listings/{made['id']}", change)
        assert reply.status_code == 200
        now = reply.json()
        assert now == {
            **made,
            "title": "Coat",
            "size": None,
            "description": "",
            "location": None,
            "version": made["version"] + 1,
        }
        assert reply.headers["etag"].startswith(f'"{now["version"]}-')

    async def test_attributes_are_replaced_whole(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        made = await make_listing(seller, sql, attributes={"fit": "SLIM", "hood": True})
        now = (await seller.patch(f"/listings/{made['id']}", {"attributes": {"lining": None, "fit": "regular"}})).json()
        assert now["attributes"] == {"fit": "REGULAR"}

    async def test_what_changes_nothing_makes_no_version(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        made = await make_listing(seller, sql)
        reply = await seller.patch(f"/listings/{made['id']}", {"title": made["title"], "price": made["price"]})
        assert reply.json() == made

    async def test_a_stale_version_is_refused(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        made = await make_listing(seller, sql, publish=False)
        path, tag = f"/listings/{made['id']}", {"If-Match": '"1-whatever"'}
        assert (await seller.patch(path, {"title": "First"}, headers=tag)).status_code == 200
        before = await stored(sql, made["id"])
        late = await seller.patch(path, {"title": "Second"}, headers=tag)
        assert (late.status_code, late.json()["code"]) == (412, "stale_version")
        assert (await seller.put(f"{path}/images", [], headers=tag)).status_code == 412
        assert (await seller.delete(path, headers=tag)).status_code == 412
        for move in ("publish", "unpublish", "reserve", "unreserve", "sold", "relist"):
            assert (await seller.post(f"{path}/{move}", headers=tag)).status_code == 412
        assert await stored(sql, made["id"]) == before

    async def test_what_is_shown_stays_fit_to_be_shown(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        made = await make_listing(seller, sql)
        before = await stored(sql, made["id"])
        change = {"title": None, "price": None, "condition": None, "category": None, "images": []}
        reply = await seller.patch(f"/listings/{made['id']}", change)
        assert {error["pointer"] for error in reply.json()["errors"]} == {"/title", "/price", "/condition", "/category"}
        assert (await seller.patch(f"/listings/{made['id']}", {"images": []})).status_code == 422
        moved = await seller.patch(f"/listings/{made['id']}", {"category": "women-bags-luggage"})
        assert [error["pointer"] for error in moved.json()["errors"]] == ["/attributes/volume"]
        assert await stored(sql, made["id"]) == before

    async def test_the_price_is_frozen_while_reserved(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        made = await make_listing(seller, sql)
        await seller.post(f"/listings/{made['id']}/reserve")
        cheaper = {"price": {"amount": 100, "currency": "AZN"}}
        reply = await seller.patch(f"/listings/{made['id']}", cheaper)
        assert (reply.status_code, reply.json()["code"]) == (409, "price_frozen")
        same = await seller.patch(f"/listings/{made['id']}", {"price": made["price"], "title": "Coat, reserved"})
        assert (same.status_code, same.json()["title"]) == (200, "Coat, reserved")

    async def test_what_is_sold_is_read_only(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        made = await make_listing(seller, sql)
        await seller.post(f"/listings/{made['id']}/sold")
        before = await stored(sql, made["id"])
        images = [{"upload_id": await make_upload(sql, seller.id)}]
        for reply in (
            await seller.patch(f"/listings/{made['id']}", {"title": "Never mind"}),
            await seller.put(f"/listings/{made['id']}/images", images),
        ):
            assert (reply.status_code, reply.json()["code"]) == (409, "read_only")
        assert await stored(sql, made["id"]) == before


class TestImages:
    async def test_sets_and_orders(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        made = await make_listing(seller, sql)
        old = made["images"][0]["id"]
        first, second = await make_upload(sql, seller.id), await make_upload(sql, seller.id)
        path = f"/listings/{made['id']}/images"
        reply = await seller.put(path, [{"upload_id": second, "alt": "Back"}, {"upload_id": first}, {"upload_id": old}])
        assert reply.status_code == 200
        assert [(image["id"], image["alt"]) for image in reply.json()["images"]] == [
            (second, "Back"),
            (first, None),
            (old, None),
        ]
        assert reply.json()["version"] == made["version"] + 1
        shorter = await seller.put(path, [{"upload_id": first}])
        assert [image["id"] for image in shorter.json()["images"]] == [first]
        claimed = await sql.rows("SELECT upload_id FROM upload_claims WHERE claimant = $1", f"listing:{made['id']}")
        assert [str(row["upload_id"]) for row in claimed] == [first]

    async def test_wrong_ones_are_named_by_their_place(self, people: People, sql: Sql) -> None:
        seller, stranger = await people.new(), await people.new()
        made = await make_listing(seller, sql)
        before = await stored(sql, made["id"])
        path = f"/listings/{made['id']}/images"
        shape = await seller.put(path, [{"upload_id": "x"}, {"alt": 7, "size": 1}])
        assert {(error["pointer"], error["code"]) for error in shape.json()["errors"]} == {
            ("/0/upload_id", "bad_format"),
            ("/1/upload_id", "required"),
            ("/1/alt", "wrong_type"),
            ("/1/size", "unknown_field"),
        }
        others = await seller.put(path, [{"upload_id": await make_upload(sql, stranger.id)}])
        assert (others.status_code, others.json()["errors"][0]["pointer"]) == (422, "/0")
        nine = [{"upload_id": await make_upload(sql, seller.id)} for _ in range(9)]
        assert (await seller.put(path, nine)).status_code == 422
        assert (await seller.put(path, [])).status_code == 422
        assert (await stranger.put(path, [])).status_code == 403
        assert await stored(sql, made["id"]) == before

    async def test_what_is_shown_keeps_a_finished_picture(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        made = await make_listing(seller, sql)
        before = await stored(sql, made["id"])
        unfinished = [{"upload_id": await make_upload(sql, seller.id, "PROCESSING")}]
        reply = await seller.put(f"/listings/{made['id']}/images", unfinished)
        assert (reply.status_code, reply.json()["code"]) == (409, "images_not_ready")
        assert await stored(sql, made["id"]) == before


class TestDelete:
    async def test_only_by_its_owner(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        seller, stranger, moderator = await people.new(), await people.new(), await people.moderator()
        made = await make_listing(seller, sql)
        before = await stored(sql, made["id"])
        assert (await client.delete(f"/api/v1/listings/{made['id']}")).status_code == 401
        assert (await stranger.delete(f"/listings/{made['id']}")).status_code == 403
        assert (await moderator.delete(f"/listings/{made['id']}")).status_code == 403
        assert await stored(sql, made["id"]) == before
        reply = await seller.delete(f"/listings/{made['id']}")
        assert (reply.status_code, reply.content) == (204, b"")
        assert await sql.value("SELECT status FROM listings WHERE id = $1", made["id"]) == "DELETED"
        again = await seller.delete(f"/listings/{made['id']}")
        assert (again.status_code, again.json()["allowed_moves"]) == (409, [])
        assert (await stranger.delete(f"/listings/{made['id']}")).status_code == 404


class TestMine:
    async def ids(self, person: Person, query: str = "") -> list[str]:
        return [item["id"] for item in (await person.get(f"/users/me/listings{query}")).json()["items"]]

    async def test_anonymous(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/api/v1/users/me/listings")).status_code == 401

    async def test_every_status_newest_first_and_nobody_elses(self, people: People, sql: Sql) -> None:
        seller, other = await people.new(), await people.new()
        await make_listing(other, sql)
        draft = (await make_listing(seller, sql, publish=False))["id"]
        shown = (await make_listing(seller, sql))["id"]
        sold = (await make_listing(seller, sql))["id"]
        deleted = (await make_listing(seller, sql))["id"]
        await seller.post(f"/listings/{sold}/sold")
        await seller.delete(f"/listings/{deleted}")
        assert await self.ids(seller) == [sold, shown, draft]
        assert await self.ids(seller, "?status=DRAFT") == [draft]
        assert await self.ids(seller, "?status=DELETED") == [deleted]
        assert (await seller.get("/users/me/listings?status=LOST")).status_code == 422
        assert (await seller.get("/users/me/listings?color=RED")).status_code == 422

    async def test_pages_do_not_shift(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        made = [(await make_listing(seller, sql, publish=False))["id"] for _ in range(5)]
        first = (await seller.get("/users/me/listings?limit=2")).json()
        await make_listing(seller, sql, publish=False)
        second = (await seller.get(f"/users/me/listings?limit=2&cursor={first['next_cursor']}")).json()
        third = (await seller.get(f"/users/me/listings?limit=2&cursor={second['next_cursor']}")).json()
        seen = [item["id"] for page in (first, second, third) for item in page["items"]]
        assert seen == made[::-1]
        assert third["next_cursor"] is None
        stranger = await people.new()
        for cursor in ("nonsense", first["next_cursor"]):
            bad = await stranger.get(f"/users/me/listings?cursor={cursor}")
            assert (bad.status_code, bad.json()["code"]) == (422, "invalid_cursor")

    async def test_a_page_costs_the_same_statements_however_long(
        self, people: People, sql: Sql, runtime: Runtime
    ) -> None:
        from sqlalchemy import event

        seller = await people.new()
        count = [0]

        def counted(*_: object) -> None:
            count[0] += 1

        event.listen(runtime.database.engine.sync_engine, "before_cursor_execute", counted)
        costs: list[int] = []
        for _ in range(2):
            for _ in range(3):
                await make_listing(seller, sql)
            count[0] = 0
            assert (await seller.get("/users/me/listings")).status_code == 200
            costs.append(count[0])
        event.remove(runtime.database.engine.sync_engine, "before_cursor_execute", counted)
        assert costs[0] == costs[1] <= 5
