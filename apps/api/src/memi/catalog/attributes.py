"""What a listing says beyond the common fields, checked against its category's schema. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from memi.catalog.reference import Attribute
from memi.platform.errors import FieldError
from memi.platform.validation import pointer

MAX_TEXT = 500
"""Longest text of an attribute, in characters."""
MAX_NUMBER = 1_000_000
"""Largest number of an attribute; none is negative."""


class _Wrong(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def check_attributes(
    schema: Sequence[Attribute], values: Mapping[str, Any], *, require: bool
) -> tuple[dict[str, Any], list[FieldError]]:
    """The values in canonical form (option codes as the schema writes them) and every error, by `/attributes/<key>`.

    Null, an empty text and an empty list say nothing and are left out. `require` asks for what the schema requires, as
    publishing does. Codes: `required`, `unknown_field`, `wrong_type`, `unknown_value`, `out_of_range`.
    """
    by_key = {attribute.key: attribute for attribute in schema}
    clean: dict[str, Any] = {}
    errors: list[FieldError] = []
    for key, value in values.items():
        attribute = by_key.get(key)
        if attribute is None:
            errors.append(_error(key, "unknown_field", "The category has no such attribute."))
            continue
        if value is None:
            continue
        try:
            checked = _CHECKS[attribute.type](attribute, value)
        except _Wrong as wrong:
            errors.append(_error(key, wrong.code, wrong.message))
            continue
        if checked not in ("", []):
            clean[key] = checked
    if require:
        wrong_already = {error.pointer for error in errors}
        errors += [
            error
            for attribute in schema
            if attribute.required and attribute.key not in clean
            for error in (_error(attribute.key, "required", "The category requires this attribute."),)
            if error.pointer not in wrong_already
        ]
    return clean, errors


def _error(key: str, code: str, message: str) -> FieldError:
    return FieldError(pointer(["attributes", key]), code, message)


def _option(attribute: Attribute, value: Any) -> str:
    if not isinstance(value, str):
        raise _Wrong("wrong_type", "Must be the code of an option.")
    wanted = value.strip().upper()
    for option in attribute.options:
        if option.code.upper() == wanted:
            return option.code
    raise _Wrong("unknown_value", f"Must be one of {', '.join(option.code for option in attribute.options)}.")


def _options(attribute: Attribute, value: Any) -> list[str]:
    if not isinstance(value, list):
        raise _Wrong("wrong_type", "Must be a list of option codes.")
    items = cast("list[Any]", value)
    if len(items) > len(attribute.options):
        raise _Wrong("out_of_range", f"Must name at most {len(attribute.options)} options.")
    chosen = {_option(attribute, item) for item in items}
    return [option.code for option in attribute.options if option.code in chosen]


def _text(_attribute: Attribute, value: Any) -> str:
    if not isinstance(value, str):
        raise _Wrong("wrong_type", "Must be a string.")
    text = value.strip()
    if len(text) > MAX_TEXT:
        raise _Wrong("out_of_range", f"Must have at most {MAX_TEXT} characters.")
    if "\0" in text:
        raise _Wrong("unknown_value", "Must be readable text.")
    return text


def _integer(_attribute: Attribute, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _Wrong("wrong_type", "Must be an integer.")
    return _in_range(value)


def _decimal(_attribute: Attribute, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Wrong("wrong_type", "Must be a number.")
    return _in_range(value)


def _in_range(value: int | float) -> Any:
    if not 0 <= value <= MAX_NUMBER:  # false for NaN and infinity, too
        raise _Wrong("out_of_range", f"Must be between 0 and {MAX_NUMBER}.")
    return value


def _boolean(_attribute: Attribute, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Wrong("wrong_type", "Must be true or false.")
    return value


_CHECKS: dict[str, Callable[[Attribute, Any], Any]] = {
    "enum": _option,
    "multi_enum": _options,
    "text": _text,
    "integer": _integer,
    "decimal": _decimal,
    "boolean": _boolean,
}
