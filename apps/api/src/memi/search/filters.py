"""A query string becomes a plan: the statement's shape, its arguments and what a cursor of it is bound to. Pure."""

import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from urllib.parse import parse_qsl
from uuid import UUID

from memi.catalog.reference import Attribute
from memi.catalog.snapshot import CatalogSnapshot
from memi.platform.errors import FieldError, ValidationFailed
from memi.platform.paging import PageTooDeep
from memi.platform.validation import parse_query, pointer
from memi.search.cards import attribute_field, brand_key, section_of, tag
from memi.search.schemas import MAX_CHOICES, ListingArrival, ListingFilter, SellerListingsFilter
from memi.search.spelling import query_words, tsquery
from memi.search.statements import CHOICES, Order, Shape
from memi.usage.words import shortened, without_contacts

_ATTRIBUTE = re.compile(r"attr\[([a-z0-9_]{1,64})\]")
_REPEATABLE: dict[str, bool] = dict.fromkeys(("condition", "size", "color", "brand", "material"), True)
_MAX_ATTRIBUTES = 16
_MAX_VALUE = 80
Find = Callable[[str], object | None]


@dataclass(frozen=True)
class Plan:
    """What one query string asks for."""

    shape: Shape
    arguments: dict[str, object]
    limit: int
    cursor: str | None
    words: tuple[str, ...] = ()
    category: str | None = None
    kept_words: str | None = None
    """As many of the words as are recorded of a search, none that could be somebody's."""
    is_feed: bool = False
    """Neither words nor an order nor a seller were asked for: a page may be put into its viewer's own order."""
    page: int | None = None
    is_first: bool = field(init=False)
    """Whether what is asked for begins where everything does."""
    scope: str = field(init=False)
    """Names everything but the page: a cursor is good for the same filters and sort only."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_first", self.cursor is None and self.page in (None, 1))
        told = repr((self.shape.order, sorted(self.arguments.items(), key=lambda item: item[0])))
        object.__setattr__(self, "scope", f"listings:{blake2b(told.encode(), digest_size=12).hexdigest()}")


def read_listing_query(query_string: str, catalog: CatalogSnapshot) -> Plan:
    """The plan of `GET /listings`; raises `ValidationFailed` naming every wrong parameter, or `PageTooDeep`."""
    pairs = parse_qsl(query_string, keep_blank_values=True)
    common = [(name, value) for name, value in pairs if not _ATTRIBUTE.fullmatch(name)]
    attributes, errors = _read_attributes(pairs, catalog)
    try:
        if any(name == "attr" for name, _ in common):
            errors.append(FieldError("/attr", "bad_format", "Name the attribute: attr[fit]=SLIM."))
            common = [(name, value) for name, value in common if name != "attr"]
        asked = parse_query(ListingFilter, common, _REPEATABLE)
    except ValidationFailed as refused:
        raise _refusal([*refused.errors, *errors]) from None
    return _Reader(catalog, errors).plan(asked, attributes)


def read_seller_query(query_string: str, seller_id: UUID) -> Plan:
    """The plan of `GET /users/{user_id}/listings`; raises `ValidationFailed`, `PageTooDeep`."""
    try:
        asked = parse_query(SellerListingsFilter, parse_qsl(query_string, keep_blank_values=True), {})
    except ValidationFailed as refused:
        raise _refusal(refused.errors) from None
    shape = Shape(seller=True, page=asked.page is not None, total=asked.total)
    return Plan(shape, {"seller": seller_id}, asked.limit, asked.cursor, page=asked.page)


def read_arrival(query_string: bytes) -> ListingArrival:
    """How somebody came to a listing; raises `ValidationFailed`."""
    return parse_query(ListingArrival, parse_qsl(query_string.decode("latin-1"), keep_blank_values=True), {})


def _refusal(errors: list[FieldError]) -> ValidationFailed | PageTooDeep:
    """A page that is too deep has a code of its own, where nothing else is wrong."""
    return PageTooDeep() if [error.code for error in errors] == [PageTooDeep.code] else ValidationFailed(errors)


class _Reader:
    """Checks the values against the catalogue, and gathers what is wrong."""

    def __init__(self, catalog: CatalogSnapshot, errors: list[FieldError]) -> None:
        self._catalog = catalog
        self._errors = errors
        self._arguments: dict[str, object] = {}
        self._tags: list[str] = []
        self._choices: list[list[str]] = []
        self._slug: str | None = None

    def plan(self, asked: ListingFilter, attributes: dict[str, list[str]]) -> Plan:
        words = query_words(asked.q) if asked.q else ()
        order = asked.sort or ("relevance" if words else "newest")
        if order == "relevance" and not words:
            self._refuse(["sort"], "needs_query", "Sorting by relevance needs words in `q`.")
        self._category(asked.category)
        self._codes(asked)
        self._brands(asked.brand)
        for key, values in attributes.items():
            self._any_of(attribute_field(key), values)
        self._prices(asked)
        if asked.seller is not None:
            self._arguments["seller"] = asked.seller
        if self._errors:
            raise ValidationFailed(self._errors)
        return self._made(asked, words, order)

    def _made(self, asked: ListingFilter, words: tuple[str, ...], order: Order) -> Plan:
        arguments = self._arguments
        if self._tags:
            arguments["tags"] = sorted(self._tags)
        groups = next(size for size in CHOICES if size >= len(self._choices))
        for number in range(groups):
            arguments[f"choice_{number}"] = self._choices[min(number, len(self._choices) - 1)]
        if words:
            arguments["query"] = tsquery(words)
        shape = Shape(
            order=order,
            text=bool(words),
            all_tags=bool(self._tags),
            choices=groups,
            page=asked.page is not None,
            total=asked.total,
            **{name: name in arguments for name in ("section", "brand", "seller", "min_price", "max_price")},
        )
        kept = shortened(query_words(without_contacts(asked.q))) if asked.q else None
        is_feed = asked.sort is None and order == "newest" and asked.seller is None
        return Plan(shape, arguments, asked.limit, asked.cursor, words, self._slug, kept, is_feed, asked.page)

    def _category(self, slug: str | None) -> None:
        if slug is None:
            return
        node = self._catalog.category(slug)
        if node is None:
            self._refuse(["category"], "unknown_value", "There is no such category.")
            return
        self._slug = node.slug
        section = section_of(node)
        if section is not None:
            self._arguments["section"] = section
        if section != node.slug:
            self._tags.append(tag("category", node.slug))

    def _codes(self, asked: ListingFilter) -> None:
        catalog = self._catalog
        lists: list[tuple[str, Sequence[str], Find]] = [
            ("condition", asked.condition or (), catalog.condition),
            ("size", asked.size or (), catalog.size),
            ("color", asked.color or (), catalog.color),
            ("material", asked.material or (), catalog.material),
            ("city", [asked.city] if asked.city else (), catalog.city),
        ]
        for name, codes, find in lists:
            for code in codes:
                if find(code) is None:
                    self._refuse([name], "unknown_value", f"There is no such {name}.")
            self._any_of(name, codes)

    def _brands(self, written: Sequence[str] | None) -> None:
        keys = {brand_key(self._catalog, item) for item in written or ()}
        if len(keys) == 1 and "section" not in self._arguments:
            self._arguments["brand"] = keys.pop()
        else:
            self._any_of("brand", sorted(keys))

    def _prices(self, asked: ListingFilter) -> None:
        if asked.min_price is not None:
            self._arguments["min_price"] = asked.min_price
        if asked.max_price is not None:
            self._arguments["max_price"] = asked.max_price
            if asked.min_price is not None and asked.min_price > asked.max_price:
                self._refuse(["min_price"], "out_of_range", "Must not be above `max_price`.")

    def _any_of(self, name: str, values: Sequence[str]) -> None:
        tags = {tag(name, value) for value in values}
        if len(tags) == 1:
            self._tags.append(tags.pop())
        elif tags:
            self._choices.append(sorted(tags))

    def _refuse(self, location: list[str], code: str, message: str) -> None:
        self._errors.append(FieldError(pointer(location), code, message))


def _read_attributes(
    pairs: Sequence[tuple[str, str]], catalog: CatalogSnapshot
) -> tuple[dict[str, list[str]], list[FieldError]]:
    known = catalog.derived(_FILTERABLE, lambda: _filterable(catalog))
    found: dict[str, list[str]] = {}
    errors: dict[FieldError, None] = {}
    for name, value in pairs:
        match = _ATTRIBUTE.fullmatch(name)
        if match is None:
            continue
        key = match.group(1)
        values = found.setdefault(key, [])
        values.append(value.strip())
        options = known.get(key)
        if options is None:
            errors[FieldError(pointer([name]), "unknown_field", "There is no such attribute to filter by.")] = None
        elif len(values) > MAX_CHOICES:
            errors[FieldError(pointer([name]), "too_long", f"May be given {MAX_CHOICES} times.")] = None
        elif not 0 < len(value.strip()) <= _MAX_VALUE or "\0" in value:
            errors[FieldError(pointer([name]), "bad_format", "Does not have the expected form.")] = None
        elif options and value.strip().lower() not in options:
            errors[FieldError(pointer([name]), "unknown_value", "Is not one of the attribute's values.")] = None
    if len(found) > _MAX_ATTRIBUTES:
        errors[FieldError("/attr", "too_long", f"At most {_MAX_ATTRIBUTES} attributes at once.")] = None
    return found, list(errors)


_FILTERABLE: Hashable = "search.filterable"
_BOOLEANS = frozenset({"true", "false"})


def _filterable(catalog: CatalogSnapshot) -> dict[str, frozenset[str]]:
    """Keys that can be filtered by, each with its values in lower case; none when any value goes."""
    found: dict[str, frozenset[str]] = {}
    for root in catalog.roots:
        for node in root.subtree:
            for attribute in node.schema:
                if attribute.filterable:
                    found[attribute.key] = found.get(attribute.key, frozenset()) | _values(attribute)
    return found


def _values(attribute: Attribute) -> frozenset[str]:
    if attribute.type == "boolean":
        return _BOOLEANS
    return frozenset(option.code.lower() for option in attribute.options)
