"""POST /listings: drafts and listings that are shown at once."""

from typing import Any

import httpx
import pytest

from support.items import LEAF, make_listing, whole
from support.people import People
from support.sql import Sql
from support.uploads import make_upload


def named(reply: httpx.Response) -> set[tuple[str, str]]:
    """(pointer, code) of every error of a 422."""
    assert reply.status_code == 422, reply.text
    return {(error["pointer"], error["code"]) for error in reply.json()["errors"]}


class TestDraft:
    async def test_anonymous(self, client: httpx.AsyncClient, sql: Sql) -> None:
        reply = await client.post("/api/v1/listings", json={"title": "Red shoes"})
        assert (reply.status_code, reply.json()["code"]) == (401, "not_authenticated")
        assert await sql.value("SELECT count(*) FROM listings") == 0

    async def test_needs_only_a_title(self, people: People) -> None:
        seller = await people.new()
        reply = await seller.post("/listings", {"title": "  Red shoes  "})
        assert reply.status_code == 201
        made = reply.json()
        assert reply.headers["location"] == f"/api/v1/listings/{made['id']}"
        assert reply.headers["etag"].startswith('"1-')
        assert made["status"] == "DRAFT"
        assert made["title"] == "Red shoes"
        assert made["seller"] == {"id": seller.id, "name": "Aysel", "avatar_url": None}
        empty = ("price", "condition", "category", "size", "color", "brand", "material", "city", "location")
        assert all(made[name] is None for name in empty)
        assert (made["description"], made["attributes"], made["images"]) == ("", {}, [])
        assert (made["favorite_count"], made["view_count"], made["version"]) == (0, 0, 1)
        assert made["published_at"] is made["expires_at"] is made["sold_at"] is None
        assert made["created_at"].endswith("Z")

    async def test_keeps_everything_it_is_told(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        uploads = [await make_upload(sql, seller.id), await make_upload(sql, seller.id, "PROCESSING")]
        reply = await seller.post(
            "/listings",
            whole(
                description="Warm.",
                size="m",
                color="black",
                material="Cotton",
                city="baku",
                condition="very_good",
                category=LEAF.upper(),
                brand="a.p.c.",
                attributes={"fit": "regular", "season": ["winter"], "hood": True},
                location={"lat": 40.409264, "lon": 49.867092},
                images=uploads,
            ),
        )
        made = reply.json()
        assert reply.status_code == 201, made
        assert (made["size"], made["color"], made["material"], made["city"]) == ("M", "BLACK", "COTTON", "BAKU")
        assert (made["condition"], made["brand"]) == ("VERY_GOOD", "A.P.C.")
        assert made["price"] == {"amount": 4500, "currency": "AZN"}
        assert made["category"]["slug"] == LEAF
        assert [step["slug"] for step in made["category"]["path"]] == [
            "women",
            "women-clothes",
            "women-clothes-coats",
            LEAF,
        ]
        assert made["attributes"] == {"fit": "REGULAR", "season": ["WINTER"], "hood": True}
        assert made["location"] == {"lat": 40.41, "lon": 49.87}
        assert [image["id"] for image in made["images"]] == uploads
        assert [image["status"] for image in made["images"]] == ["READY", "PROCESSING"]
        assert made["images"][0]["url"]
        assert made["images"][1]["url"] is None

    async def test_coordinates_are_stored_rounded(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        made = await seller.post("/listings", {"title": "Hat", "location": {"lat": -0.126, "lon": 179.999}})
        row = await sql.rows("SELECT lat, lon FROM listings WHERE id = $1", made.json()["id"])
        assert row == [{"lat": -0.13, "lon": 180.0}]

    async def test_a_brand_nobody_knows_stays_as_written(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        made = (await seller.post("/listings", {"title": "Hat", "brand": "Nənəmin əli"})).json()
        assert made["brand"] == "Nənəmin əli"
        assert await sql.value("SELECT brand_slug FROM listings WHERE id = $1", made["id"]) is None

    async def test_every_wrong_field_is_named(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        stranger = await people.new()
        body = whole(
            price={"amount": 4500, "currency": "USD"},
            condition="WORN",
            category=LEAF,
            size="HUGE",
            color="ULTRAVIOLET",
            material="KRYPTONITE",
            city="ATLANTIS",
            attributes={"fit": "ENORMOUS", "wheels": 4},
            images=[await make_upload(sql, stranger.id), await make_upload(sql, seller.id, "REJECTED")],
        )
        reply = await seller.post("/listings", body)
        assert named(reply) == {
            ("/price/currency", "unknown_value"),
            ("/condition", "unknown_value"),
            ("/size", "unknown_value"),
            ("/color", "unknown_value"),
            ("/material", "unknown_value"),
            ("/city", "unknown_value"),
            ("/attributes/fit", "unknown_value"),
            ("/attributes/wheels", "unknown_field"),
            ("/images/0", "unknown_upload"),
            ("/images/1", "upload_rejected"),
        }
        assert await sql.value("SELECT count(*) FROM listings WHERE seller_id = $1", seller.id) == 0
        assert await sql.value("SELECT count(*) FROM upload_claims") == await sql.value(
            "SELECT count(*) FROM listing_images"
        )

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"title": "ab"}, ("/title", "too_short")),
            ({"title": "x" * 121}, ("/title", "too_long")),
            ({"title": None}, ("/title", "wrong_type")),
            ({"title": "a\0b"}, ("/title", "bad_format")),
            ({"description": "x" * 5001}, ("/description", "too_long")),
            ({"price": {"amount": 0, "currency": "AZN"}}, ("/price/amount", "out_of_range")),
            ({"price": {"amount": 1_000_000_001, "currency": "AZN"}}, ("/price/amount", "out_of_range")),
            ({"price": {"amount": 45.5, "currency": "AZN"}}, ("/price/amount", "wrong_type")),
            ({"price": {"amount": "4500", "currency": "AZN"}}, ("/price/amount", "wrong_type")),
            ({"price": {"amount": 4500}}, ("/price/currency", "required")),
            ({"category": "spaceships"}, ("/category", "unknown_value")),
            ({"location": {"lat": 91, "lon": 0}}, ("/location/lat", "out_of_range")),
            ({"images": ["x"]}, ("/images/0", "bad_format")),
            ({"images": ["01890a5d-ac96-774b-bcce-b302099a8057"] * 2}, ("/images", "repeated")),
            ({"images": [f"01890a5d-ac96-774b-bcce-b302099a805{n}" for n in range(9)]}, ("/images", "too_long")),
            ({"publish": "yes"}, ("/publish", "wrong_type")),
            ({"status": "ACTIVE"}, ("/status", "unknown_field")),
        ],
    )
    async def test_bounds(self, people: People, sql: Sql, changes: dict[str, Any], error: tuple[str, str]) -> None:
        seller = await people.new()
        assert named(await seller.post("/listings", whole(**changes))) == {error}
        assert await sql.value("SELECT count(*) FROM listings WHERE seller_id = $1", seller.id) == 0


class TestPublished:
    async def test_is_shown_at_once_and_makes_a_seller(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        made = await make_listing(seller, sql)
        assert made["status"] == "ACTIVE"
        assert made["published_at"]
        days = "SELECT expires_at - published_at = interval '60 days' FROM listings WHERE id = $1"
        assert await sql.value(days, made["id"]) is True
        assert sorted((await seller.get("/users/me")).json()["roles"]) == ["SELLER", "USER"]
        assert (await seller.get(f"/users/{seller.id}")).json()["active_listing_count"] == 1

    async def test_everything_missing_is_named(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        reply = await seller.post("/listings", {"title": "Red shoes", "publish": True})
        assert named(reply) == {
            ("/price", "required"),
            ("/condition", "required"),
            ("/category", "required"),
            ("/images", "required"),
        }
        assert await sql.value("SELECT count(*) FROM listings WHERE seller_id = $1", seller.id) == 0

    async def test_needs_a_category_without_others_in_it(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        images = [await make_upload(sql, seller.id)]
        reply = await seller.post("/listings", whole(category="women-clothes-coats", images=images, publish=True))
        assert named(reply) == {("/category", "not_a_leaf")}

    async def test_needs_the_attributes_its_category_requires(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        images = [await make_upload(sql, seller.id)]
        body = whole(category="women-bags-luggage", images=images)
        assert named(await seller.post("/listings", {**body, "publish": True})) == {("/attributes/volume", "required")}
        assert (await seller.post("/listings", body)).status_code == 201
        whole_body = {**body, "publish": True, "attributes": {"volume": 40}}
        assert (await seller.post("/listings", whole_body)).status_code == 201

    async def test_waits_for_its_images_and_makes_nothing_meanwhile(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        images = [await make_upload(sql, seller.id, "PROCESSING")]
        reply = await seller.post("/listings", whole(images=images, publish=True))
        assert (reply.status_code, reply.json()["code"]) == (409, "images_not_ready")
        assert await sql.value("SELECT count(*) FROM listings WHERE seller_id = $1", seller.id) == 0
        assert await sql.value("SELECT count(*) FROM upload_claims WHERE upload_id = $1", images[0]) == 0
        assert (await seller.get("/users/me")).json()["roles"] == ["USER"]
