"""Shapes of the catalogue. `name` is in the language asked for, `names` in all of them."""

from typing import Annotated, Generic, Literal, TypeVar
from uuid import UUID

import msgspec
from pydantic import Field

from memi.catalog.snapshot import Names
from memi.platform.validation import RequestModel

T = TypeVar("T")
Language = Literal["az", "en", "ru"]


class LanguageQuery(RequestModel):
    """The language of `name` and `label`; by default what Accept-Language asks for, else `az`."""

    lang: Language | None = None


class SizeQuery(LanguageQuery):
    """Sizes of one category: its slug."""

    category: Annotated[str, Field(min_length=1, max_length=100)] | None = None


class BrandQuery(RequestModel):
    """With `q`, the 20 likeliest brands; without, all of them by name, page by page."""

    q: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 24
    cursor: Annotated[str, Field(max_length=500)] | None = None


class ItemList(msgspec.Struct, Generic[T], frozen=True):
    """A list that is always given whole."""

    items: list[T]


class CategoryStub(msgspec.Struct, frozen=True):
    """A category by name, as a step of a path."""

    id: UUID
    slug: str
    name: str
    names: Names


class CategoryTree(msgspec.Struct, frozen=True):
    """A category with all below it."""

    id: UUID
    slug: str
    name: str
    names: Names
    image_url: str | None
    is_leaf: bool
    children: list["CategoryTree"]


class OptionRead(msgspec.Struct, frozen=True):
    code: str
    label: str
    labels: Names


class AttributeRead(msgspec.Struct, frozen=True):
    """A field that listings of the category have. `options` is empty unless `type` is `enum` or `multi_enum`."""

    key: str
    type: Literal["enum", "multi_enum", "text", "integer", "decimal", "boolean"]
    label: str
    labels: Names
    unit: str | None
    required: bool
    filterable: bool
    options: list[OptionRead]


class CategoryRead(msgspec.Struct, frozen=True):
    """A category with where it stands (`path` from the root to itself) and what its listings say."""

    id: UUID
    slug: str
    name: str
    names: Names
    image_url: str | None
    is_leaf: bool
    size_group: str | None
    path: list[CategoryStub]
    children: list[CategoryTree]
    attributes: list[AttributeRead]


class SizeRead(msgspec.Struct, frozen=True):
    """`conversions`: by size group, the same size in other systems."""

    code: str
    name: str
    names: Names
    system: str
    groups: list[str]
    conversions: dict[str, dict[str, str]]


class ColorRead(msgspec.Struct, frozen=True):
    """`hex` is null where no single colour stands for it."""

    code: str
    name: str
    names: Names
    hex: str | None


class MaterialRead(msgspec.Struct, frozen=True):
    code: str
    name: str
    names: Names


class ConditionRead(msgspec.Struct, frozen=True):
    code: str
    name: str
    names: Names
    description: str
    descriptions: Names


class CityRead(msgspec.Struct, frozen=True):
    """Coordinates of the centre, WGS 84 degrees."""

    code: str
    name: str
    names: Names
    lat: float
    lon: float


class BrandRead(msgspec.Struct, frozen=True):
    slug: str
    name: str
