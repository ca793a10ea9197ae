"""Requests: pydantic models that refuse what they do not know, and their errors as field pointers in our own words."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import pydantic
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from memi.platform.errors import FieldError, ValidationFailed

M = TypeVar("M", bound=pydantic.BaseModel)
Item = TypeVar("Item")


class RequestModel(pydantic.BaseModel):
    """Base of every request body and query: unknown fields are refused, strings are stripped of outer blanks."""

    model_config = pydantic.ConfigDict(
        extra="forbid", str_strip_whitespace=True, frozen=True, hide_input_in_errors=True
    )


class RequestList(pydantic.RootModel[list[Item]]):
    """Base of a request body that is a list; its errors point at `/<index>/…`."""

    model_config = pydantic.ConfigDict(str_strip_whitespace=True, frozen=True, hide_input_in_errors=True)


REQUEST_KINDS = (RequestModel, RequestList)


_MESSAGES: dict[str, tuple[str, str]] = {
    "missing": ("required", "This field is required."),
    "extra_forbidden": ("unknown_field", "There is no such field."),
    "string_too_short": ("too_short", "Must have at least {min_length} characters."),
    "string_too_long": ("too_long", "Must have at most {max_length} characters."),
    "string_pattern_mismatch": ("bad_format", "Does not have the expected form."),
    "string_type": ("wrong_type", "Must be a string."),
    "int_type": ("wrong_type", "Must be an integer."),
    "int_parsing": ("wrong_type", "Must be an integer."),
    "int_from_float": ("wrong_type", "Must be an integer."),
    "int_parsing_size": ("out_of_range", "Is too large a number."),
    "float_type": ("wrong_type", "Must be a number."),
    "float_parsing": ("wrong_type", "Must be a number."),
    "finite_number": ("out_of_range", "Must be a finite number."),
    "bool_type": ("wrong_type", "Must be true or false."),
    "bool_parsing": ("wrong_type", "Must be true or false."),
    "list_type": ("wrong_type", "Must be a list."),
    "dict_type": ("wrong_type", "Must be an object."),
    "model_type": ("wrong_type", "Must be an object."),
    "model_attributes_type": ("wrong_type", "Must be an object."),
    "too_short": ("too_short", "Must have at least {min_length} items."),
    "too_long": ("too_long", "Must have at most {max_length} items."),
    "greater_than": ("out_of_range", "Must be greater than {gt}."),
    "greater_than_equal": ("out_of_range", "Must be at least {ge}."),
    "less_than": ("out_of_range", "Must be less than {lt}."),
    "less_than_equal": ("out_of_range", "Must be at most {le}."),
    "enum": ("unknown_value", "Must be one of {expected}."),
    "literal_error": ("unknown_value", "Must be one of {expected}."),
    "uuid_parsing": ("bad_format", "Must be a UUID."),
    "uuid_type": ("bad_format", "Must be a UUID."),
    "datetime_parsing": ("bad_format", "Must be an RFC 3339 time."),
    "datetime_from_date_parsing": ("bad_format", "Must be an RFC 3339 time."),
    "timezone_aware": ("bad_format", "Must carry a time zone."),
}


def field_errors(error: pydantic.ValidationError) -> list[FieldError]:
    """Every invalid field of `error`, each once, with none of the library's own text."""
    found: dict[tuple[str, str], FieldError] = {}
    for item in error.errors(include_url=False, include_input=False):
        field = _field_error(item)
        found.setdefault((field.pointer, field.code), field)
    return list(found.values())


def pointer(location: Sequence[str | int]) -> str:
    """A JSON pointer (RFC 6901); the empty one is the whole document."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in location)


def _field_error(item: ErrorDetails) -> FieldError:
    kind, context = item["type"], item.get("ctx", {})
    if kind in ("value_error", "assertion_error"):
        # Our own validators raise ValueError("code: sentence"); what follows the colon is ours to show.
        code, _, message = str(context.get("error", "")).partition(": ")
        return (
            FieldError(pointer(item["loc"]), code, message)
            if message
            else FieldError(pointer(item["loc"]), "invalid", "Is not a valid value.")
        )
    code, template = _MESSAGES.get(kind, ("invalid", "Is not a valid value."))
    return FieldError(pointer(item["loc"]), code, template.format_map(_Defaults(context)))


class _Defaults(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return key


# Control characters but for tab and line ends, and those that override the direction of text around them.
_GARBLING = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]").search


def _unstorable(value: object, location: tuple[str | int, ...] = ()) -> list[FieldError]:
    """Texts that the database cannot hold (it has no NUL) or that would garble how others see a page."""
    if isinstance(value, str):
        if _GARBLING(value):
            return [FieldError(pointer(location), "bad_format", "Must not contain control characters.")]
        return []
    parts: Any = ()
    if isinstance(value, dict):
        parts = value.items()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        if any("\0" in key for key in value):  # pyright: ignore[reportUnknownVariableType]
            return [FieldError(pointer(location), "bad_format", "Must not have names with the NUL character.")]
    elif isinstance(value, list):
        parts = enumerate(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return [error for key, item in parts for error in _unstorable(item, (*location, key))]


@lru_cache(maxsize=500)
def _secrets(model: type[pydantic.BaseModel]) -> frozenset[str]:
    """The fields of a model that hold secrets."""
    return frozenset(
        name
        for name, field in model.model_fields.items()
        if pydantic.SecretStr in (field.annotation, *_arguments(field))
    )


def _arguments(field: FieldInfo) -> tuple[Any, ...]:
    return getattr(field.annotation, "__args__", ())


def _as_sent(model: type[pydantic.BaseModel], value: object) -> object:
    """Secrets are compared and never shown: they stay as they came, blanks and control characters too."""
    secrets = _secrets(model)
    if not secrets or not isinstance(value, dict):
        return value
    return {
        name: pydantic.SecretStr(item) if name in secrets and isinstance(item, str) else item
        for name, item in value.items()  # pyright: ignore[reportUnknownVariableType]
    }


def parse(model: type[M], value: object) -> M:
    """Validate a decoded body; raises `ValidationFailed` naming every wrong field."""
    value = _as_sent(model, value)
    if unstorable := _unstorable(value):
        raise ValidationFailed(unstorable)
    try:
        return model.model_validate(value)
    except pydantic.ValidationError as error:
        raise ValidationFailed(field_errors(error)) from None


def parse_query(model: type[M], pairs: Sequence[tuple[str, str]], repeatable: Mapping[str, bool]) -> M:
    """Validate a query string; a parameter that is not repeatable may come once."""
    values: dict[str, Any] = {}
    repeated: list[FieldError] = []
    for name, value in pairs:
        if repeatable.get(name):
            values.setdefault(name, []).append(value)
        elif name in values:
            repeated.append(FieldError(pointer([name]), "repeated", "May be given once."))
        else:
            values[name] = value
    repeated.extend(_unstorable(values))
    try:
        parsed = model.model_validate(values)
    except pydantic.ValidationError as error:
        raise ValidationFailed(field_errors(error) + repeated) from None
    if repeated:
        raise ValidationFailed(repeated)
    return parsed
