"""The bundled catalogue data, and the loader's refusal of data that breaks its rules."""

import json
import re
from collections.abc import Callable
from importlib import resources
from typing import Any, cast

import msgspec
import pytest

from memi.catalog.reference import (
    Attribute,
    Category,
    Node,
    Reference,
    ReferenceDataError,
    Translated,
    content_hash,
    leaves,
    load_reference,
    parse_reference,
    walk,
)

NAMES = ("attributes", "brands", "categories", "cities", "colors", "conditions", "materials", "sizes")
Json = Any
Damage = Callable[[dict[str, Json]], None]


@pytest.fixture(scope="module")
def reference() -> Reference:
    return load_reference()


@pytest.fixture(scope="module")
def nodes(reference: Reference) -> dict[str, Node]:
    return {node.category.slug: node for node in walk(reference.categories)}


def _texts(value: object) -> list[Translated]:
    """Every translated text inside a structure, however deep."""
    if isinstance(value, Translated):
        return [value]
    if isinstance(value, msgspec.Struct):
        return [text for field in value.__struct_fields__ for text in _texts(getattr(value, field))]
    if isinstance(value, tuple):
        return [text for item in cast("tuple[object, ...]", value) for text in _texts(item)]
    return []


class TestTree:
    def test_has_at_least_120_leaves(self, reference: Reference) -> None:
        assert len(list(leaves(reference.categories))) >= 120

    def test_covers_women_men_and_kids_by_clothes_shoes_bags_and_accessories(self, reference: Reference) -> None:
        found = {root.slug: [child.slug for child in root.children] for root in reference.categories}
        assert found == {
            root: [f"{root}-{section}" for section in ("clothes", "shoes", "bags", "accessories")]
            for root in ("women", "men", "kids")
        }

    def test_slugs_are_unique_and_start_with_their_parents(self, reference: Reference) -> None:
        every = list(walk(reference.categories))
        assert len({node.category.slug for node in every}) == len(every)
        for node in every:
            assert node.parent is None or node.category.slug.startswith(f"{node.parent.slug}-")

    def test_walk_gives_parents_first_and_positions_among_siblings(self) -> None:
        text = Translated(az="a", en="a", ru="a")
        tree = (
            Category(slug="a", name=text, children=(Category(slug="a-x", name=text), Category(slug="a-y", name=text))),
            Category(slug="b", name=text),
        )
        seen = [([step.slug for step in node.path], node.position, node.is_leaf) for node in walk(tree)]
        assert seen == [(["a"], 0, False), (["a", "a-x"], 0, True), (["a", "a-y"], 1, True), (["b"], 1, True)]
        assert [node.category.slug for node in leaves(tree)] == ["a-x", "a-y", "b"]

    def test_attributes_are_inherited_from_the_root_down(self, nodes: dict[str, Node]) -> None:
        keys = [attribute.key for attribute in nodes["women-shoes-heels-pumps"].attributes]
        assert keys[0] == "vintage"
        assert {"season", "shoe_fastening", "heel_height", "heel_type"} <= set(keys)

    def test_heel_height_is_a_number_of_centimetres(self, nodes: dict[str, Node]) -> None:
        heel = next(a for a in nodes["women-shoes-heels"].category.attributes if a.key == "heel_height")
        assert (heel.type, heel.unit, heel.filterable) == ("decimal", "cm", True)

    def test_at_most_five_leaves_require_an_attribute_and_no_everyday_one_does(self, reference: Reference) -> None:
        demanding = {
            node.category.slug
            for node in leaves(reference.categories)
            if any(attribute.required for attribute in node.attributes)
        }
        assert len(demanding) <= 5
        assert demanding <= {
            "women-accessories-jewellery-rings",
            "men-accessories-jewellery-rings",
            "women-bags-luggage",
            "men-bags-luggage",
        }

    def test_every_leaf_knows_its_sizes(self, reference: Reference) -> None:
        offered = {group for size in reference.sizes for group in size.groups}
        assert {node.size_group for node in leaves(reference.categories)} <= offered

    def test_a_nearer_size_group_replaces_the_inherited_one(self, nodes: dict[str, Node]) -> None:
        assert nodes["women-clothes-dresses-evening"].size_group == "women_clothes"
        assert nodes["women-clothes-lingerie-bras"].size_group == "bras"


class TestLists:
    def test_conditions_are_the_five_of_the_contract_best_first(self, reference: Reference) -> None:
        assert [c.code for c in reference.conditions] == ["NEW_WITH_TAGS", "NEW", "VERY_GOOD", "GOOD", "FAIR"]

    @pytest.mark.parametrize("name", ["sizes", "colors", "materials", "conditions", "cities"])
    def test_codes_stay_apart_without_regard_to_case(self, reference: Reference, name: str) -> None:
        codes = [row.code.casefold() for row in getattr(reference, name)]
        assert len(set(codes)) == len(codes)

    def test_every_text_is_there_in_three_languages(self, reference: Reference) -> None:
        texts = _texts(reference)
        assert len(texts) > 1000
        for text in texts:
            assert all((text.az, text.en, text.ru)), text

    def test_category_names_are_written_in_their_own_script(self, reference: Reference) -> None:
        for node in walk(reference.categories):
            name = node.category.name
            assert any("а" <= letter <= "я" or letter == "ё" for letter in name.ru.lower()), name
            assert not any("\u0400" <= letter <= "\u04ff" for letter in name.az + name.en), name

    def test_cities_lie_in_azerbaijan(self, reference: Reference) -> None:
        assert len(reference.cities) >= 70
        for city in reference.cities:
            assert 38.3 <= city.lat <= 41.95, city
            assert 44.7 <= city.lon <= 50.9, city

    def test_baku_is_where_it_is(self, reference: Reference) -> None:
        baku = next(city for city in reference.cities if city.code == "BAKU")
        assert (baku.name.az, baku.name.ru) == ("Bakı", "Баку")
        assert (baku.lat, baku.lon) == (pytest.approx(40.38, abs=0.03), pytest.approx(49.89, abs=0.03))

    def test_knows_at_least_400_brands(self, reference: Reference) -> None:
        assert len(reference.brands) >= 400
        assert {"zara", "gucci", "lc-waikiki", "nike", "gloria-jeans"} <= {brand.slug for brand in reference.brands}

    @pytest.mark.parametrize(
        ("code", "group", "expected"),
        [
            ("M", "women_clothes", {"EU": "38", "UK": "10", "US": "6"}),
            ("M", "men_clothes", {"EU": "48", "UK": "38", "US": "38"}),
            ("EU38", "women_clothes", {"INT": "M", "UK": "10", "US": "6"}),
            ("EU38", "women_shoes", {"UK": "5", "US": "7"}),
            ("EU43", "men_shoes", {"UK": "9", "US": "10"}),
            ("W32", "men_jeans", {"EU": "48", "INT": "M"}),
            ("75C", "bras", {"UK": "34C", "US": "34C"}),
        ],
    )
    def test_one_size_code_converts_by_group(
        self, reference: Reference, code: str, group: str, expected: dict[str, str]
    ) -> None:
        size = next(size for size in reference.sizes if size.code == code)
        assert size.conversions[group] == expected

    def test_conversions_lead_to_a_size_that_leads_back(self, reference: Reference) -> None:
        by_code = {size.code: size for size in reference.sizes}
        for size in reference.sizes:
            for group in ("women_clothes", "men_clothes", "women_shoes", "men_shoes"):
                for system, value in size.conversions.get(group, {}).items():
                    other = by_code[value if system == "INT" else f"{system}{value}"]
                    back = other.conversions[group][size.system]
                    assert size.code == (back if size.system == "INT" else f"{size.system}{back}")


def _files() -> dict[str, Json]:
    folder = resources.files("memi.catalog").joinpath("data")
    return {name: json.loads(folder.joinpath(f"{name}.json").read_bytes()) for name in NAMES}


def _encoded(files: dict[str, Json]) -> dict[str, bytes]:
    return {name: json.dumps(content).encode() for name, content in files.items()}


def _repeat_slug(files: dict[str, Json]) -> None:
    files["categories"][1]["slug"] = "women"


def _redefine_attribute(files: dict[str, Json]) -> None:
    files["categories"][0]["children"][0]["attributes"].append("vintage")


def _unknown_attribute(files: dict[str, Json]) -> None:
    files["categories"][0]["attributes"].append("smell")


def _require_undefined(files: dict[str, Json]) -> None:
    files["categories"][0]["required"] = ["season"]


def _unknown_size_group(files: dict[str, Json]) -> None:
    files["categories"][0]["children"][0]["size_group"] = "giants"


def _repeat_option(files: dict[str, Json]) -> None:
    options = next(row for row in files["attributes"] if row["key"] == "season")["options"]
    options.append(options[0])


def _options_on_a_number(files: dict[str, Json]) -> None:
    heel = next(row for row in files["attributes"] if row["key"] == "heel_height")
    heel["options"] = [{"code": "HIGH", "label": {"az": "a", "en": "a", "ru": "a"}}]


def _blank_translation(files: dict[str, Json]) -> None:
    files["colors"][0]["name"]["az"] = " "


def _lower_case_code(files: dict[str, Json]) -> None:
    files["materials"][0]["code"] = "cotton"


def _repeat_code(files: dict[str, Json]) -> None:
    files["cities"].append(files["cities"][0])


def _conversion_outside_groups(files: dict[str, Json]) -> None:
    files["sizes"][0]["conversions"] = {"kids_shoes": {"EU": "30"}}


def _alias_of_another_brand(files: dict[str, Json]) -> None:
    files["brands"][0]["aliases"] = ["zara"]


def _missing_language(files: dict[str, Json]) -> None:
    del files["conditions"][0]["name"]["ru"]


class TestRefusals:
    @pytest.mark.parametrize(
        ("damage", "problem"),
        [
            (_repeat_slug, "categories: 'women' is used twice"),
            (_redefine_attribute, "vintage is defined twice on its path"),
            (_unknown_attribute, "unknown attribute smell"),
            (_require_undefined, "requires season, which it does not define"),
            (_unknown_size_group, "unknown size group giants"),
            (_repeat_option, "attributes: season options: 'SPRING' is used twice"),
            (_options_on_a_number, "enum and multi_enum have options"),
            (_blank_translation, "the az text is empty"),
            (_lower_case_code, "materials: 'cotton' is malformed"),
            (_repeat_code, "cities: 'BAKU' is used twice"),
            (_conversion_outside_groups, "conversions for a group it is not in"),
            (_alias_of_another_brand, "brands: 'zara' is written twice"),
            (_missing_language, "missing required field `ru`"),
        ],
    )
    def test_names_what_is_wrong(self, damage: Damage, problem: str) -> None:
        files = _files()
        damage(files)
        with pytest.raises(ReferenceDataError) as refusal:
            parse_reference(_encoded(files))
        assert problem in str(refusal.value)

    def test_lists_every_problem_at_once(self) -> None:
        files = _files()
        _repeat_code(files)
        _unknown_attribute(files)
        with pytest.raises(ReferenceDataError) as refusal:
            parse_reference(_encoded(files))
        assert len(refusal.value.problems) == 2

    def test_the_data_itself_is_accepted(self, reference: Reference) -> None:
        assert parse_reference(_encoded(_files())) == reference


class TestLoading:
    def test_is_read_once(self, reference: Reference) -> None:
        assert load_reference() is reference

    def test_content_hash_is_stable_hex(self) -> None:
        assert content_hash() == content_hash()
        assert re.fullmatch(r"[0-9a-f]{64}", content_hash())

    def test_the_same_attribute_is_the_same_wherever_it_appears(self, nodes: dict[str, Node]) -> None:
        seen: dict[str, Attribute] = {}
        for node in nodes.values():
            for attribute in node.category.attributes:
                plain = msgspec.structs.replace(attribute, required=False)
                assert seen.setdefault(attribute.key, plain) == plain
