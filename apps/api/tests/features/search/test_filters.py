"""GET /listings: each filter, their combinations, and what is refused."""

import httpx
import pytest

from features.search.conftest import Browse, Shelf
from support.people import People

FOUR_GROUPS = "color=RED&color=BLACK&size=M&size=S&material=SILK&material=COTTON&condition=NEW&condition=VERY_GOOD"


class TestFilters:
    async def test_everything_newest_first(self, browse: Browse) -> None:
        assert await browse() == ["sneakers", "evening", "dress", "coat"]

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ("category=women", ["evening", "dress", "coat"]),
            ("category=women-clothes", ["evening", "dress", "coat"]),
            ("category=women-clothes-dresses", ["evening", "dress"]),
            ("category=women-clothes-dresses-summer", ["dress"]),
            ("category=WOMEN-clothes-coats", ["coat"]),
            ("category=kids", []),
            ("min_price=6000", ["sneakers", "evening", "coat"]),
            ("max_price=6000", ["sneakers", "dress"]),
            ("min_price=6000&max_price=9000", ["sneakers", "coat"]),
            ("condition=NEW", ["dress"]),
            ("condition=new&condition=GOOD", ["sneakers", "dress"]),
            ("size=M", ["evening", "coat"]),
            ("size=M&size=s", ["evening", "dress", "coat"]),
            ("color=RED", ["evening", "dress"]),
            ("color=RED&color=WHITE", ["sneakers", "evening", "dress"]),
            ("material=SILK", ["evening"]),
            ("material=silk&material=wool", ["evening", "coat"]),
            ("city=baku", ["sneakers", "evening", "coat"]),
            ("brand=zara", ["coat"]),
            ("brand=ZARA&brand=Nike", ["sneakers", "coat"]),
            ("brand=seki%20ipeyi", ["evening"]),
            ("brand=%C5%9E%C6%8FK%C4%B0%20%C4%B0P%C6%8FY%C4%B0", ["evening"]),
            ("brand=Unheard-of", []),
            ("color=RED&size=M", ["evening"]),
            ("category=women&color=RED&max_price=5000&city=GANJA", ["dress"]),
            ("category=women-clothes-dresses&brand=Mango&condition=NEW&material=COTTON", ["dress"]),
            ("color=RED&color=BLACK&size=M&size=S&min_price=8000", ["evening", "coat"]),
            (
                f"{FOUR_GROUPS}&brand=mango&brand=zara&brand=seki%20ipeyi&category=women",
                ["evening", "dress"],
            ),
            (
                f"{FOUR_GROUPS}&brand=mango&brand=zara",
                ["dress"],
            ),
        ],
    )
    async def test_each_and_combined(self, browse: Browse, query: str, names: list[str]) -> None:
        assert await browse(query) == names

    async def test_by_seller(self, browse: Browse, shelf: Shelf) -> None:
        assert await browse(f"seller={shelf.other_seller.id}") == ["sneakers"]

    @pytest.mark.parametrize(
        ("sort", "names"),
        [
            ("newest", ["sneakers", "evening", "dress", "coat"]),
            ("price_asc", ["dress", "sneakers", "coat", "evening"]),
            ("price_desc", ["evening", "coat", "sneakers", "dress"]),
        ],
    )
    async def test_sorts(self, browse: Browse, sort: str, names: list[str]) -> None:
        assert await browse(f"sort={sort}") == names
        assert await browse(f"sort={sort}&category=women-clothes") == [name for name in names if name != "sneakers"]


class TestAttributes:
    async def test_any_of_the_values_of_each(self, client: httpx.AsyncClient, people: People, browse: Browse) -> None:
        reply = await client.get("/api/v1/listings?attr[season]=WINTER&attr[season]=SUMMER")
        assert reply.status_code == 200, reply.text
        assert reply.json()["items"] == []

    @pytest.mark.parametrize(
        ("query", "pointer", "code"),
        [
            ("attr[nonsense]=1", "/attr[nonsense]", "unknown_field"),
            ("attr[season]=MONDAY", "/attr[season]", "unknown_value"),
            ("attr[season]=", "/attr[season]", "bad_format"),
            ("attr=1", "/attr", "bad_format"),
            ("attr[UPPER]=1", "/attr[UPPER]", "unknown_field"),
        ],
    )
    async def test_refused(self, client: httpx.AsyncClient, query: str, pointer: str, code: str) -> None:
        reply = await client.get(f"/api/v1/listings?{query}")
        assert reply.status_code == 422
        assert [(error["pointer"], error["code"]) for error in reply.json()["errors"]] == [(pointer, code)]


class TestRefusals:
    async def test_every_wrong_parameter_is_named(self, client: httpx.AsyncClient) -> None:
        query = (
            "colour=RED&min_price=cheap&limit=101&sort=oldest&page=0&total=some&near=1,2&category=nope&condition=SHINY"
            "&seller=me&attr[x]=1&max_price=1&max_price=2"
        )
        reply = await client.get(f"/api/v1/listings?{query}")
        assert reply.status_code == 422
        assert {(error["pointer"], error["code"]) for error in reply.json()["errors"]} == {
            ("/colour", "unknown_field"),
            ("/page", "out_of_range"),
            ("/total", "wrong_type"),
            ("/near", "unknown_field"),
            ("/min_price", "wrong_type"),
            ("/limit", "out_of_range"),
            ("/sort", "unknown_value"),
            ("/seller", "bad_format"),
            ("/attr[x]", "unknown_field"),
            ("/max_price", "repeated"),
        }

    async def test_every_unknown_value_is_named(self, client: httpx.AsyncClient) -> None:
        query = "category=nope&condition=SHINY&size=HUGE&color=INFRARED&material=AIR&city=ATLANTIS&sort=relevance"
        reply = await client.get(f"/api/v1/listings?{query}&min_price=2&max_price=1")
        assert reply.status_code == 422
        assert {(error["pointer"], error["code"]) for error in reply.json()["errors"]} == {
            ("/category", "unknown_value"),
            ("/condition", "unknown_value"),
            ("/size", "unknown_value"),
            ("/color", "unknown_value"),
            ("/material", "unknown_value"),
            ("/city", "unknown_value"),
            ("/sort", "needs_query"),
            ("/min_price", "out_of_range"),
        }

    @pytest.mark.parametrize("value", ["a%00b", "%00"])
    async def test_nul(self, client: httpx.AsyncClient, value: str) -> None:
        for name in ("q", "brand", "attr[season]", "cursor"):
            reply = await client.get(f"/api/v1/listings?{name}={value}")
            assert reply.status_code == 422, name

    async def test_bytes_that_are_no_text(self, client: httpx.AsyncClient) -> None:
        reply = await client.get("/api/v1/listings?q=%ff%fe")
        assert reply.status_code in (200, 422)
