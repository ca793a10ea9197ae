"""The public catalogue: whole, translated, cacheable."""

from typing import Any

import httpx
import pytest

from memi.catalog.reference import leaves, load_reference
from memi.catalog.service import TOPIC, Catalog
from memi.platform.runtime import Runtime
from support.people import People
from support.sql import Sql

LISTS = ["/categories", "/categories/women", "/sizes", "/colors", "/materials", "/conditions", "/cities", "/brands"]


async def read(client: httpx.AsyncClient, path: str, **headers: str) -> Any:
    reply = await client.get(f"/api/v1{path}", headers=headers)
    assert reply.status_code == 200, reply.text
    return reply.json()


async def items(client: httpx.AsyncClient, path: str, **headers: str) -> Any:
    return (await read(client, path, **headers))["items"]


def below(nodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [node for top in nodes for node in (top, *below(top["children"]))]


def refusals(reply: httpx.Response) -> dict[str, str]:
    assert reply.status_code == 422, reply.text
    return {error["pointer"]: error["code"] for error in reply.json()["errors"]}


class TestEveryList:
    @pytest.mark.parametrize("path", LISTS)
    async def test_is_public_and_cacheable(self, client: httpx.AsyncClient, path: str) -> None:
        first = await client.get(f"/api/v1{path}")
        assert first.status_code == 200
        assert first.headers["content-type"] == "application/json"
        assert first.headers["cache-control"] == "public, max-age=300"
        assert "Accept-Language" in first.headers["vary"]
        again = await client.get(f"/api/v1{path}", headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        assert again.headers["cache-control"] == "public, max-age=300"

    @pytest.mark.parametrize("path", LISTS)
    async def test_is_the_same_for_who_is_signed_in(self, client: httpx.AsyncClient, people: People, path: str) -> None:
        person = await people.new()
        assert (await person.get(path)).content == (await client.get(f"/api/v1{path}")).content

    @pytest.mark.parametrize("path", LISTS)
    async def test_refuses_unknown_parameters(self, client: httpx.AsyncClient, path: str) -> None:
        assert refusals(await client.get(f"/api/v1{path}?colour=red")) == {"/colour": "unknown_field"}

    @pytest.mark.parametrize("path", LISTS[:-1])
    async def test_refuses_a_language_that_is_not_spoken(self, client: httpx.AsyncClient, path: str) -> None:
        assert refusals(await client.get(f"/api/v1{path}?lang=de")) == {"/lang": "unknown_value"}

    async def test_costs_no_statement_once_read(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        for path in LISTS:
            await client.get(f"/api/v1{path}")
        asked: list[str] = []
        hot = runtime.database.hot
        original = hot.fetch

        async def counting(sql: str, *arguments: object) -> list[Any]:
            asked.append(sql)
            return await original(sql, *arguments)

        hot.fetch = counting  # pyright: ignore[reportAttributeAccessIssue]
        try:
            for path in LISTS:
                assert (await client.get(f"/api/v1{path}")).status_code == 200
        finally:
            hot.fetch = original  # pyright: ignore[reportAttributeAccessIssue]
        assert asked == []


class TestLanguage:
    @pytest.mark.parametrize(
        ("wanted", "expected"),
        [
            ("", "Qadın"),
            ("de", "Qadın"),
            ("en-GB,en;q=0.9", "Women"),
            ("ru;q=0.5, en;q=0.7", "Women"),
            ("en;q=0, ru", "Женщинам"),
            ("en;q=x, ru;q=0.1", "Женщинам"),
        ],
    )
    async def test_follows_the_header(self, client: httpx.AsyncClient, wanted: str, expected: str) -> None:
        tree = await items(client, "/categories", **{"Accept-Language": wanted})
        women = next(node for node in tree if node["slug"] == "women")
        assert women["name"] == expected
        assert women["names"] == {"az": "Qadın", "en": "Women", "ru": "Женщинам"}

    async def test_the_parameter_wins_over_the_header(self, client: httpx.AsyncClient) -> None:
        women = await read(client, "/categories/women?lang=en", **{"Accept-Language": "ru"})
        assert women["name"] == "Women"


class TestCategories:
    async def test_the_whole_tree(self, client: httpx.AsyncClient) -> None:
        nodes = below(await items(client, "/categories"))
        assert {node["slug"] for node in nodes if node["is_leaf"]} == {
            node.category.slug for node in leaves(load_reference().categories)
        }
        assert all(node["is_leaf"] == (not node["children"]) for node in nodes)
        assert len({node["id"] for node in nodes}) == len(nodes)

    async def test_one_with_its_path_and_schema(self, client: httpx.AsyncClient) -> None:
        category = await read(client, "/categories/women-clothes-dresses-casual?lang=en")
        assert [step["slug"] for step in category["path"]] == [
            "women",
            "women-clothes",
            "women-clothes-dresses",
            "women-clothes-dresses-casual",
        ]
        assert category["children"] == []
        assert category["size_group"] == "women_clothes"
        attributes = {item["key"]: item for item in category["attributes"]}
        assert {"vintage", "season", "fit"} <= attributes.keys()
        assert attributes["vintage"]["label"] == "Vintage"
        assert attributes["season"]["type"] == "multi_enum"
        assert {"code", "label", "labels"} == attributes["season"]["options"][0].keys()

    async def test_a_slug_in_any_case(self, client: httpx.AsyncClient) -> None:
        assert (await read(client, "/categories/WOMEN"))["slug"] == "women"

    @pytest.mark.parametrize("slug", ["nothing", "women%2Fclothes", "%00"])
    async def test_an_unknown_one_is_not_found(self, client: httpx.AsyncClient, slug: str) -> None:
        reply = await client.get(f"/api/v1/categories/{slug}")
        assert (reply.status_code, reply.json()["code"]) == (404, "not_found")


class TestLists:
    async def test_conditions_best_first(self, client: httpx.AsyncClient) -> None:
        codes = [item["code"] for item in await items(client, "/conditions")]
        assert codes == ["NEW_WITH_TAGS", "NEW", "VERY_GOOD", "GOOD", "FAIR"]

    async def test_cities_lie_somewhere(self, client: httpx.AsyncClient) -> None:
        baku = next(item for item in await items(client, "/cities?lang=en") if item["code"] == "BAKU")
        assert baku["name"] == "Baku"
        assert (round(baku["lat"]), round(baku["lon"])) == (40, 50)

    async def test_sizes_of_one_category(self, client: httpx.AsyncClient) -> None:
        sizes = {item["code"]: item for item in await items(client, "/sizes?category=women-clothes-dresses-casual")}
        assert sizes["M"]["system"] == "INT"
        assert set(sizes["M"]["conversions"]) == {"women_clothes"}
        assert all(item["groups"] == ["women_clothes"] for item in sizes.values())

    async def test_sizes_of_a_whole_branch(self, client: httpx.AsyncClient) -> None:
        branch = {item["code"] for item in await items(client, "/sizes?category=women")}
        everything = {item["code"] for item in await items(client, "/sizes")}
        leaf = {item["code"] for item in await items(client, "/sizes?category=women-clothes-dresses-casual")}
        assert leaf < branch < everything

    async def test_sizes_of_no_category(self, client: httpx.AsyncClient) -> None:
        assert refusals(await client.get("/api/v1/sizes?category=nothing")) == {"/category": "unknown_value"}


class TestBrands:
    @pytest.mark.parametrize("typed", ["zar", "ZARA", "zarra", "zaar"])
    async def test_found_by_beginning_and_with_a_typo(self, client: httpx.AsyncClient, typed: str) -> None:
        found = [item["slug"] for item in await items(client, f"/brands?q={typed}")]
        assert found[0] == "zara"

    async def test_what_begins_so_comes_before_what_only_resembles(self, client: httpx.AsyncClient) -> None:
        names = [item["name"].lower() for item in await items(client, "/brands?q=ma")]
        begins = [name.startswith("ma") for name in names]
        assert begins[0]
        assert len(names) <= 20

    async def test_nothing_like_it(self, client: httpx.AsyncClient) -> None:
        assert await items(client, "/brands?q=qqqqxxxx") == []

    async def test_all_of_them_by_name_each_once(self, client: httpx.AsyncClient) -> None:
        seen: list[tuple[str, str]] = []
        path = "/brands?limit=50"
        while True:
            page = await read(client, path)
            seen += [(item["name"], item["slug"]) for item in page["items"]]
            if page["next_cursor"] is None:
                break
            path = f"/brands?limit=50&cursor={page['next_cursor']}"
        assert seen == sorted(seen)
        assert {slug for _, slug in seen} == {brand.slug for brand in load_reference().brands}
        assert len(seen) == len(load_reference().brands)

    @pytest.mark.parametrize("query", ["cursor=abc", "q=zara&cursor=abc"])
    async def test_a_cursor_it_never_gave(self, client: httpx.AsyncClient, query: str) -> None:
        reply = await client.get(f"/api/v1/brands?{query}")
        assert (reply.status_code, reply.json()["code"]) == (422, "invalid_cursor")

    @pytest.mark.parametrize(("query", "pointer"), [("q=", "/q"), ("limit=0", "/limit"), ("limit=101", "/limit")])
    async def test_malformed(self, client: httpx.AsyncClient, query: str, pointer: str) -> None:
        assert pointer in refusals(await client.get(f"/api/v1/brands?{query}"))


class TestChange:
    async def test_is_seen_after_a_poke(self, client: httpx.AsyncClient, runtime: Runtime, sql: Sql) -> None:
        before = await client.get("/api/v1/colors?lang=en")
        await sql.execute("""UPDATE colors SET name = name || '{"en": "Changed"}' WHERE code = 'BLACK'""")
        assert (await client.get("/api/v1/colors?lang=en")).content == before.content
        runtime.broker.publish(TOPIC, "")
        after = await client.get("/api/v1/colors?lang=en")
        assert "Changed" in after.text
        assert after.headers["etag"] != before.headers["etag"]

    async def test_is_seen_without_one_once_the_check_is_due(self, runtime: Runtime, sql: Sql) -> None:
        catalog = Catalog(runtime.database.hot, runtime.broker, recheck_seconds=0)
        first = await catalog.snapshot()
        assert await catalog.snapshot() is first
        await sql.execute("UPDATE materials SET position = position WHERE code = 'COTTON'")
        assert await catalog.snapshot() is not first


class TestSnapshot:
    async def test_finds_by_code_slug_and_brand_whatever_the_case(self, runtime: Runtime) -> None:
        catalog = await runtime.adapters.get(Catalog).snapshot()
        women = catalog.category("Women")
        assert women is not None
        assert catalog.category_by_id(women.id) is women
        assert catalog.category("nothing") is None
        found = (catalog.size("xxs"), catalog.color("black"), catalog.material("cotton"))
        assert [entry.code for entry in found if entry] == ["XXS", "BLACK", "COTTON"]
        condition, city = catalog.condition("very_good"), catalog.city("baku")
        assert condition is not None
        assert city is not None
        assert (condition.code, city.code) == ("VERY_GOOD", "BAKU")
        assert catalog.color("ultraviolet") is None

    async def test_matches_a_brand_by_name_and_alias(self, runtime: Runtime) -> None:
        catalog = await runtime.adapters.get(Catalog).snapshot()
        for brand in load_reference().brands:
            for spelling in (brand.name, *brand.aliases):
                matched = catalog.match_brand(f" {spelling.upper()} ")
                assert matched is not None
                assert matched.slug == brand.slug
        assert catalog.match_brand("No Such House") is None
