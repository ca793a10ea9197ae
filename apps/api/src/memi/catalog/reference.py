"""The catalogue's reference data: typed, checked, and free of any database.

The JSON files under `data/` are the source; their order is the display order. A mistake in them (a code used twice, a
missing translation, an unknown attribute) raises `ReferenceDataError` that lists every problem, so that it is met
when the data is written and not by a buyer.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Literal, TypeVar

import msgspec

AttributeType = Literal["enum", "multi_enum", "text", "integer", "decimal", "boolean"]
SizeSystem = Literal["INT", "EU", "UK", "US"]
_Rows = TypeVar("_Rows")

_FILES = ("attributes", "brands", "categories", "cities", "colors", "conditions", "materials", "sizes")
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_KEY = re.compile(r"[a-z][a-z0-9_]*")
# Upper case ASCII only, so that matching a code without regard to case means the same in Python and in PostgreSQL.
_CODE = re.compile(r"[A-Z0-9]+(?:[._-][A-Z0-9]+)*")
_HEX = re.compile(r"#[0-9A-F]{6}")


class ReferenceDataError(ValueError):
    """The bundled data breaks its own rules; `problems` names each place."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("catalogue reference data is invalid:\n" + "\n".join(f"- {problem}" for problem in problems))
        self.problems = problems


class _Struct(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class Translated(_Struct, frozen=True):
    """One text in every language the site speaks."""

    az: str
    en: str
    ru: str


class AttributeOption(_Struct, frozen=True):
    code: str
    label: Translated


class Attribute(_Struct, frozen=True):
    """A field of a listing. `options` is empty unless the type is `enum` or `multi_enum`."""

    key: str
    type: AttributeType
    label: Translated
    filterable: bool
    required: bool = False
    unit: str | None = None
    options: tuple[AttributeOption, ...] = ()


class Category(_Struct, frozen=True):
    """A node of the tree. `attributes` and `size_group` are its own; `Node` adds what it inherits."""

    slug: str
    name: Translated
    attributes: tuple[Attribute, ...] = ()
    size_group: str | None = None
    children: tuple["Category", ...] = ()


class Node(_Struct, frozen=True):
    """A category in its place. `path` runs from the root to the category itself; `position` counts siblings from 0."""

    category: Category
    path: tuple[Category, ...]
    position: int

    @property
    def parent(self) -> Category | None:
        return self.path[-2] if len(self.path) > 1 else None

    @property
    def is_leaf(self) -> bool:
        return not self.category.children

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """Inherited attributes first, root before leaf."""
        return tuple(attribute for step in self.path for attribute in step.attributes)

    @property
    def size_group(self) -> str | None:
        """The nearest size group on the way up."""
        return next((step.size_group for step in reversed(self.path) if step.size_group), None)


class Size(_Struct, frozen=True):
    """One code may serve several groups (`M`, `EU38`); `conversions` is by group, as the answer differs by group."""

    code: str
    position: int
    name: Translated
    system: SizeSystem
    groups: tuple[str, ...]
    conversions: dict[str, dict[SizeSystem, str]]


class Color(_Struct, frozen=True):
    """`hex` is null where no single colour stands for it."""

    code: str
    name: Translated
    hex: str | None


class Material(_Struct, frozen=True):
    code: str
    name: Translated


class Condition(_Struct, frozen=True):
    code: str
    name: Translated
    description: Translated


class City(_Struct, frozen=True):
    """Coordinates of the centre, WGS 84 degrees."""

    code: str
    name: Translated
    lat: float
    lon: float


class Brand(_Struct, frozen=True):
    """`aliases` are other spellings that mean this brand; none is another brand's name."""

    slug: str
    name: str
    aliases: tuple[str, ...] = ()


class Reference(_Struct, frozen=True):
    categories: tuple[Category, ...]
    sizes: tuple[Size, ...]
    colors: tuple[Color, ...]
    materials: tuple[Material, ...]
    conditions: tuple[Condition, ...]
    cities: tuple[City, ...]
    brands: tuple[Brand, ...]


class _CategoryRow(_Struct, frozen=True):
    """A category as written in the file: attributes by key, so that one definition serves the whole tree."""

    slug: str
    name: Translated
    attributes: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    size_group: str | None = None
    children: tuple["_CategoryRow", ...] = ()


def walk(categories: Iterable[Category]) -> Iterator[Node]:
    """Every category, parents before children, siblings in display order."""
    return _walk(categories, ())


def leaves(categories: Iterable[Category]) -> Iterator[Node]:
    """The categories a listing may be published in."""
    return (node for node in walk(categories) if node.is_leaf)


def _walk(categories: Iterable[Category], above: tuple[Category, ...]) -> Iterator[Node]:
    for position, category in enumerate(categories):
        path = (*above, category)
        yield Node(category=category, path=path, position=position)
        yield from _walk(category.children, path)


@cache
def load_reference() -> Reference:
    """Read and check the bundled data once per process; raises `ReferenceDataError`."""
    return parse_reference({name: _read(name) for name in _FILES})


@cache
def content_hash() -> str:
    """SHA-256 in hex over all data files: equal means that seeding again would change nothing."""
    digest = hashlib.sha256()
    for name in _FILES:
        content = _read(name)
        # The length keeps text that moves from one file to the next from hashing the same.
        digest.update(f"{name}:{len(content)}:".encode())
        digest.update(content)
    return digest.hexdigest()


def parse_reference(files: Mapping[str, bytes]) -> Reference:
    """Build the reference from raw JSON by file name (without `.json`); raises `ReferenceDataError`."""
    problems: list[str] = []
    attributes = _decode(files, "attributes", tuple[Attribute, ...])
    _check_attributes(attributes, problems)
    rows = _decode(files, "categories", tuple[_CategoryRow, ...])
    by_key = {attribute.key: attribute for attribute in attributes}
    reference = Reference(
        categories=tuple(_resolve(row, by_key, problems) for row in rows),
        sizes=_decode(files, "sizes", tuple[Size, ...]),
        colors=_decode(files, "colors", tuple[Color, ...]),
        materials=_decode(files, "materials", tuple[Material, ...]),
        conditions=_decode(files, "conditions", tuple[Condition, ...]),
        cities=_decode(files, "cities", tuple[City, ...]),
        brands=_decode(files, "brands", tuple[Brand, ...]),
    )
    used = {attribute.key for node in walk(reference.categories) for attribute in node.category.attributes}
    problems += [f"attributes: {key} is used by no category" for key in by_key if key not in used]
    for check in _CHECKS:
        check(reference, problems)
    if problems:
        raise ReferenceDataError(problems)
    return reference


def _read(name: str) -> bytes:
    return resources.files("memi.catalog").joinpath("data", f"{name}.json").read_bytes()


def _decode(files: Mapping[str, bytes], name: str, rows: type[_Rows]) -> _Rows:
    try:
        return msgspec.json.decode(files[name], type=rows)
    except (msgspec.DecodeError, KeyError) as error:
        raise ReferenceDataError([f"{name}: {error}"]) from error


def _resolve(row: _CategoryRow, by_key: Mapping[str, Attribute], problems: list[str]) -> Category:
    where = f"categories: {row.slug}"
    problems += [f"{where}: unknown attribute {key}" for key in row.attributes if key not in by_key]
    problems += [
        f"{where}: requires {key}, which it does not define" for key in row.required if key not in row.attributes
    ]
    return Category(
        slug=row.slug,
        name=row.name,
        attributes=tuple(
            msgspec.structs.replace(by_key[key], required=key in row.required)
            for key in row.attributes
            if key in by_key
        ),
        size_group=row.size_group,
        children=tuple(_resolve(child, by_key, problems) for child in row.children),
    )


def _check_attributes(attributes: tuple[Attribute, ...], problems: list[str]) -> None:
    _check_names("attributes", (attribute.key for attribute in attributes), _KEY, problems)
    for attribute in attributes:
        where = f"attributes: {attribute.key}"
        _check_translated(where, attribute.label, problems)
        if attribute.required:
            problems.append(f"{where}: it is the category that requires an attribute")
        if (attribute.type in ("enum", "multi_enum")) != bool(attribute.options):
            problems.append(f"{where}: enum and multi_enum have options, the other types none")
        if attribute.unit is not None and attribute.type not in ("integer", "decimal"):
            problems.append(f"{where}: only a number has a unit")
        _check_names(f"{where} options", (option.code for option in attribute.options), _CODE, problems)
        for option in attribute.options:
            _check_translated(f"{where}.{option.code}", option.label, problems)


def _check_categories(reference: Reference, problems: list[str]) -> None:
    nodes = list(walk(reference.categories))
    _check_names("categories", (node.category.slug for node in nodes), _SLUG, problems)
    for node in nodes:
        where = f"categories: {node.category.slug}"
        _check_translated(where, node.category.name, problems)
        keys = [attribute.key for attribute in node.attributes]
        problems += [f"{where}: {key} is defined twice on its path" for key in _repeated(keys)]
        if node.is_leaf and node.size_group is None:
            problems.append(f"{where}: a leaf needs a size group")


def _check_sizes(reference: Reference, problems: list[str]) -> None:
    _check_coded("sizes", reference.sizes, problems)
    offered = {group for size in reference.sizes for group in size.groups}
    used = {node.category.size_group for node in walk(reference.categories)} - {None}
    problems += [f"categories: unknown size group {group}" for group in sorted(used - offered, key=str)]
    problems += [f"sizes: no category uses the group {group}" for group in sorted(offered - used)]
    positions = [size.position for size in reference.sizes]
    if positions != sorted(set(positions)):
        problems.append("sizes: positions must grow from row to row")
    for size in reference.sizes:
        where = f"sizes: {size.code}"
        if not size.groups or _repeated(size.groups):
            problems.append(f"{where}: groups must be named, each once")
        if not size.conversions.keys() <= set(size.groups):
            problems.append(f"{where}: conversions for a group it is not in")
        if any(size.system in conversion for conversion in size.conversions.values()):
            problems.append(f"{where}: converts to its own system")


def _check_lists(reference: Reference, problems: list[str]) -> None:
    _check_coded("colors", reference.colors, problems)
    _check_coded("materials", reference.materials, problems)
    _check_coded("conditions", reference.conditions, problems)
    _check_coded("cities", reference.cities, problems)
    for condition in reference.conditions:
        _check_translated(f"conditions: {condition.code} description", condition.description, problems)
    for color in reference.colors:
        if color.hex is not None and not _HEX.fullmatch(color.hex):
            problems.append(f"colors: {color.code}: {color.hex!r} is not #RRGGBB in upper case")
    for city in reference.cities:
        if not (-90 <= city.lat <= 90 and -180 <= city.lon <= 180):
            problems.append(f"cities: {city.code}: not a place on Earth")


def _check_brands(reference: Reference, problems: list[str]) -> None:
    _check_names("brands", (brand.slug for brand in reference.brands), _SLUG, problems)
    spellings = [spelling.casefold() for brand in reference.brands for spelling in (brand.name, *brand.aliases)]
    problems += [f"brands: {spelling!r} is written twice" for spelling in _repeated(spellings)]
    if any(spelling != spelling.strip() or not spelling for spelling in spellings):
        problems.append("brands: a name is empty or has spaces around it")


_CHECKS: tuple[Callable[[Reference, list[str]], None], ...] = (
    _check_categories,
    _check_sizes,
    _check_lists,
    _check_brands,
)


def _check_coded(where: str, rows: tuple[Size | Color | Material | Condition | City, ...], problems: list[str]) -> None:
    _check_names(where, (row.code for row in rows), _CODE, problems)
    for row in rows:
        _check_translated(f"{where}: {row.code}", row.name, problems)


def _check_names(where: str, names: Iterable[str], pattern: re.Pattern[str], problems: list[str]) -> None:
    listed = list(names)
    problems += [f"{where}: {name!r} is malformed" for name in listed if not pattern.fullmatch(name)]
    problems += [f"{where}: {name!r} is used twice" for name in _repeated(listed)]


def _check_translated(where: str, text: Translated, problems: list[str]) -> None:
    for language, value in msgspec.structs.asdict(text).items():
        if not value or value != value.strip():
            problems.append(f"{where}: the {language} text is empty or has spaces around it")


def _repeated(values: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    return sorted({value for value in values if value in seen or seen.add(value)})
