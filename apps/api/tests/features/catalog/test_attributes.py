"""What a listing may say in its attributes: every error at its field, and one spelling of what is right."""

from typing import Any

import pytest

from memi.catalog.attributes import MAX_NUMBER, MAX_TEXT, check_attributes
from memi.catalog.reference import Attribute, AttributeOption, AttributeType, Translated

TEXT = Translated(az="x", en="x", ru="x")


def attribute(key: str, kind: AttributeType, *, required: bool = False, options: tuple[str, ...] = ()) -> Attribute:
    return Attribute(
        key=key,
        type=kind,
        label=TEXT,
        filterable=True,
        required=required,
        options=tuple(AttributeOption(code=code, label=TEXT) for code in options),
    )


SCHEMA = (
    attribute("fit", "enum", required=True, options=("SLIM", "LOOSE")),
    attribute("season", "multi_enum", options=("WINTER", "SPRING", "SUMMER")),
    attribute("care_notes", "text"),
    attribute("pockets", "integer"),
    attribute("chest", "decimal"),
    attribute("vintage", "boolean"),
)


def errors(values: dict[str, Any], *, require: bool = False) -> dict[str, str]:
    return {error.pointer: error.code for error in check_attributes(SCHEMA, values, require=require)[1]}


def clean(values: dict[str, Any]) -> dict[str, Any]:
    checked, wrong = check_attributes(SCHEMA, values, require=False)
    assert not wrong
    return checked


def test_codes_come_out_as_the_schema_writes_them_and_in_its_order() -> None:
    said = {"fit": "slim", "season": ["summer", "WINTER", "Summer"], "care_notes": "  by hand ", "vintage": False}
    assert clean(said) == {"fit": "SLIM", "season": ["WINTER", "SUMMER"], "care_notes": "by hand", "vintage": False}


def test_numbers_keep_their_kind() -> None:
    assert clean({"pockets": 0, "chest": 51.5}) == {"pockets": 0, "chest": 51.5}
    assert clean({"chest": 51}) == {"chest": 51}


@pytest.mark.parametrize("nothing", [None, "", "   "])
def test_saying_nothing_is_not_saying(nothing: str | None) -> None:
    assert clean({"care_notes": nothing}) == {}


def test_every_error_is_told_at_once() -> None:
    said = {"fit": "TIGHT", "season": "WINTER", "pockets": "two", "colour/of~soul": "blue", "vintage": 1}
    assert errors(said) == {
        "/attributes/fit": "unknown_value",
        "/attributes/season": "wrong_type",
        "/attributes/pockets": "wrong_type",
        "/attributes/colour~1of~0soul": "unknown_field",
        "/attributes/vintage": "wrong_type",
    }


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("fit", ["SLIM"], "wrong_type"),
        ("season", ["WINTER", 3], "wrong_type"),
        ("season", ["AUTUMN"], "unknown_value"),
        ("season", ["WINTER"] * 4, "out_of_range"),
        ("care_notes", 3, "wrong_type"),
        ("care_notes", "x" * (MAX_TEXT + 1), "out_of_range"),
        ("pockets", True, "wrong_type"),
        ("pockets", 2.0, "wrong_type"),
        ("pockets", -1, "out_of_range"),
        ("pockets", MAX_NUMBER + 1, "out_of_range"),
        ("chest", True, "wrong_type"),
        ("chest", float("nan"), "out_of_range"),
        ("chest", float("inf"), "out_of_range"),
        ("chest", 10**400, "out_of_range"),
        ("vintage", "true", "wrong_type"),
    ],
)
def test_each_type_refuses_what_it_is_not(key: str, value: Any, code: str) -> None:
    assert errors({key: value}) == {f"/attributes/{key}": code}


def test_only_publishing_asks_for_what_is_required() -> None:
    assert errors({}) == {}
    assert errors({}, require=True) == {"/attributes/fit": "required"}
    assert errors({"fit": None}, require=True) == {"/attributes/fit": "required"}
    assert errors({"fit": "slim"}, require=True) == {}


def test_a_wrong_value_is_not_also_missing() -> None:
    assert errors({"fit": 7}, require=True) == {"/attributes/fit": "wrong_type"}
