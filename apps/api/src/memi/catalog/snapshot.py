"""The whole catalogue in memory: small, read often and changed seldom. Pure; `service` says when it is read again."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar
from uuid import UUID

import msgspec

from memi.catalog.reference import Attribute
from memi.platform.folding import fold

Names = dict[str, str]
"""One text by language: `az`, `en`, `ru`."""
_T = TypeVar("_T")
_Entry = TypeVar("_Entry", bound="CodedEntry")


class CodedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A row of one of the lists; `code` is upper case."""

    code: str
    name: Names


class SizeEntry(CodedEntry, frozen=True, kw_only=True):
    """`conversions` is by size group, then by system."""

    system: str
    groups: tuple[str, ...]
    conversions: dict[str, dict[str, str]]


class ColorEntry(CodedEntry, frozen=True, kw_only=True):
    hex: str | None


class MaterialEntry(CodedEntry, frozen=True, kw_only=True):
    pass


class ConditionEntry(CodedEntry, frozen=True, kw_only=True):
    description: Names


class CityEntry(CodedEntry, frozen=True, kw_only=True):
    """Coordinates of the centre, WGS 84 degrees."""

    lat: float
    lon: float


class BrandEntry(msgspec.Struct, frozen=True):
    """`folded` is the name and every alias, folded, one per line."""

    slug: str
    name: str
    folded: str


class CategoryRow(msgspec.Struct, frozen=True):
    """A category as stored; `attributes` are its own."""

    id: UUID
    slug: str
    parent_id: UUID | None
    name: Names
    position: int
    image_url: str | None
    size_group: str | None
    attributes: tuple[Attribute, ...]
    moving_to: UUID | None


class CatalogRows(msgspec.Struct, frozen=True):
    """Every table of the catalogue as one statement reads them, each in display order."""

    edition: str
    categories: tuple[CategoryRow, ...]
    brands: tuple[BrandEntry, ...]
    sizes: tuple[SizeEntry, ...]
    colors: tuple[ColorEntry, ...]
    materials: tuple[MaterialEntry, ...]
    conditions: tuple[ConditionEntry, ...]
    cities: tuple[CityEntry, ...]


@dataclass(frozen=True, eq=False)
class CategoryNode:
    """A category in its place. `schema` is inherited attributes, then its own; `size_group` the nearest one up."""

    id: UUID
    slug: str
    name: Names
    image_url: str | None
    size_group: str | None
    schema: tuple[Attribute, ...]
    parents: tuple["CategoryNode", ...]
    is_leaving: bool
    """Its listings are being moved elsewhere, so that nobody chooses it any more."""
    children: tuple["CategoryNode", ...] = field(init=False, default=(), repr=False)

    @property
    def path(self) -> tuple["CategoryNode", ...]:
        """From the root to this category itself."""
        return (*self.parents, self)

    @property
    def is_leaf(self) -> bool:
        return not self.children

    @cached_property
    def subtree(self) -> tuple["CategoryNode", ...]:
        """This category and all below it."""
        return (self, *(node for child in self.children for node in child.subtree))

    @cached_property
    def size_groups(self) -> frozenset[str]:
        """The groups whose sizes an item in this category or below it may have."""
        return frozenset(node.size_group for node in self.subtree if node.size_group)


class CatalogSnapshot:
    """One edition of the catalogue. Codes and slugs are matched without regard to case."""

    def __init__(self, rows: CatalogRows) -> None:
        self.edition = rows.edition
        self.roots = _tree(rows.categories)
        self.brands = rows.brands
        self.sizes = rows.sizes
        self.colors = rows.colors
        self.materials = rows.materials
        self.conditions = rows.conditions
        self.cities = rows.cities
        nodes = [node for root in self.roots for node in root.subtree]
        self._by_slug = {node.slug.lower(): node for node in nodes}
        self._by_id = {node.id: node for node in nodes}
        self._sizes = _by_code(rows.sizes)
        self._colors = _by_code(rows.colors)
        self._materials = _by_code(rows.materials)
        self._conditions = _by_code(rows.conditions)
        self._cities = _by_code(rows.cities)
        self._brands = {spelling: brand for brand in rows.brands for spelling in brand.folded.split("\n")}
        self._derived: dict[Hashable, object] = {}

    def category(self, slug: str) -> CategoryNode | None:
        return self._by_slug.get(slug.lower())

    def category_by_id(self, category_id: UUID) -> CategoryNode | None:
        return self._by_id.get(category_id)

    def size(self, code: str) -> SizeEntry | None:
        return self._sizes.get(code.upper())

    def color(self, code: str) -> ColorEntry | None:
        return self._colors.get(code.upper())

    def material(self, code: str) -> MaterialEntry | None:
        return self._materials.get(code.upper())

    def condition(self, code: str) -> ConditionEntry | None:
        return self._conditions.get(code.upper())

    def city(self, code: str) -> CityEntry | None:
        return self._cities.get(code.upper())

    def match_brand(self, text: str) -> BrandEntry | None:
        """The known brand that `text` spells, by name or alias, whatever its case and accents."""
        return self._brands.get(fold(text).strip())

    def derived(self, key: Hashable, make: Callable[[], _T]) -> _T:
        """What `make` computes from this edition, computed once and forgotten with it; keys must be a bounded set."""
        if key not in self._derived:
            self._derived[key] = make()
        return self._derived[key]  # pyright: ignore[reportReturnType]  # a key always has the type its maker gave it


def _by_code(entries: Iterable[_Entry]) -> Mapping[str, _Entry]:
    return {entry.code.upper(): entry for entry in entries}


def _tree(rows: Iterable[CategoryRow]) -> tuple[CategoryNode, ...]:
    children: dict[UUID | None, list[CategoryRow]] = {}
    for row in rows:
        children.setdefault(row.parent_id, []).append(row)

    def build(row: CategoryRow, parents: tuple[CategoryNode, ...]) -> CategoryNode:
        above = parents[-1] if parents else None
        node = CategoryNode(
            id=row.id,
            slug=row.slug,
            name=row.name,
            image_url=row.image_url,
            size_group=row.size_group or (above.size_group if above else None),
            schema=(*(above.schema if above else ()), *row.attributes),
            parents=parents,
            is_leaving=row.moving_to is not None,
        )
        # A node and its children name each other, so one side has to be set after the fact.
        object.__setattr__(node, "children", tuple(build(child, node.path) for child in children.get(row.id, ())))
        return node

    return tuple(build(row, ()) for row in children.get(None, ()))
