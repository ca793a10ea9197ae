"""What a seller writes, checked against the catalogue and turned into columns. Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from uuid import UUID

from memi.catalog.attributes import check_attributes
from memi.catalog.snapshot import CatalogSnapshot, CodedEntry
from memi.listings.models import Listing
from memi.listings.schemas import LocationInput, MoneyInput
from memi.platform.errors import FieldError

DECIMALS = 2
"""Of coordinates: about a kilometre, so that nobody's door is shown."""
_UNFINISHED = frozenset({"PENDING", "UPLOADED", "PROCESSING"})


def to_columns(
    snapshot: CatalogSnapshot, given: Mapping[str, Any], currency: str, present: Listing | None = None
) -> tuple[dict[str, Any], list[FieldError]]:
    """Columns for the fields that are `given`, and every error. `present` is the listing they would change."""
    columns: dict[str, Any] = {}
    errors: list[FieldError] = []
    if "title" in given:
        columns["title"] = given["title"]
        if given["title"] is None:
            errors.append(FieldError("/title", "required", "A listing has a title."))
    if "description" in given:
        columns["description"] = given["description"] or ""
    if "price" in given:
        columns["price_amount"] = _amount(given["price"], currency, errors)
    for name, find in _codes(snapshot).items():
        if name in given:
            columns[name] = _code(name, given[name], find, errors)
    if "brand" in given:
        brand: str | None = given["brand"]
        known = snapshot.match_brand(brand) if brand else None
        columns["brand"] = known.name if known else brand
        columns["brand_slug"] = known.slug if known else None
    if "location" in given:
        place: LocationInput | None = given["location"]
        columns["lat"] = round(place.lat, DECIMALS) if place else None
        columns["lon"] = round(place.lon, DECIMALS) if place else None
    if "category" in given:
        columns["category_id"] = _category(snapshot, given["category"], errors)
    if "category" in given or "attributes" in given:
        category_id = columns["category_id"] if "category" in given else present.category_id if present else None
        values = given.get("attributes", present.attributes if present else None)
        unknown_category = any(error.pointer == "/category" for error in errors)
        if not unknown_category:
            schema = _schema(snapshot, category_id)
            columns["attributes"], wrong = check_attributes(schema, values or {}, require=False)
            errors += wrong
    return columns, errors


def missing(snapshot: CatalogSnapshot, listing: Listing) -> list[FieldError]:
    """What keeps `listing` from being shown, its images apart."""
    errors: list[FieldError] = []
    if listing.price_amount is None:
        errors.append(FieldError("/price", "required", "Publishing needs a price."))
    if listing.condition is None:
        errors.append(FieldError("/condition", "required", "Publishing needs the condition."))
    node = snapshot.category_by_id(listing.category_id) if listing.category_id else None
    if node is None:
        errors.append(FieldError("/category", "required", "Publishing needs a category."))
        return errors
    if not node.is_leaf:
        errors.append(FieldError("/category", "not_a_leaf", "Choose one of the categories within this one."))
    return errors + check_attributes(node.schema, listing.attributes, require=True)[1]


def once_each(errors: Iterable[FieldError]) -> list[FieldError]:
    """The first error of each field."""
    found: dict[str, FieldError] = {}
    for error in errors:
        found.setdefault(error.pointer, error)
    return list(found.values())


def about(errors: Iterable[FieldError], fields: Iterable[str]) -> list[FieldError]:
    """The errors that changing `fields` can have caused; a category brings its attributes."""
    names = set(fields)
    if "category" in names:
        names.add("attributes")
    return [error for error in errors if error.pointer.split("/")[1] in names]


def still_processing(statuses: Iterable[str]) -> bool:
    """Whether waiting may bring a first READY image."""
    return not _UNFINISHED.isdisjoint(statuses)


def _amount(price: MoneyInput | None, currency: str, errors: list[FieldError]) -> int | None:
    if price is None:
        return None
    if price.currency != currency:
        errors.append(FieldError("/price/currency", "unknown_value", f"Prices are in {currency}."))
    return price.amount


def _codes(snapshot: CatalogSnapshot) -> dict[str, Callable[[str], CodedEntry | None]]:
    return {
        "condition": snapshot.condition,
        "size": snapshot.size,
        "color": snapshot.color,
        "material": snapshot.material,
        "city": snapshot.city,
    }


def _code(
    name: str, value: str | None, find: Callable[[str], CodedEntry | None], errors: list[FieldError]
) -> str | None:
    if value is None:
        return None
    entry = find(value)
    if entry is None:
        errors.append(FieldError(f"/{name}", "unknown_value", f"There is no such {name}."))
        return None
    return entry.code


def _category(snapshot: CatalogSnapshot, slug: str | None, errors: list[FieldError]) -> UUID | None:
    if slug is None:
        return None
    node = snapshot.category(slug)
    if node is None or node.is_leaving:
        errors.append(FieldError("/category", "unknown_value", "There is no such category."))
        return None
    return node.id


def _schema(snapshot: CatalogSnapshot, category_id: UUID | None) -> tuple[Any, ...]:
    node = snapshot.category_by_id(category_id) if category_id else None
    return node.schema if node else ()
