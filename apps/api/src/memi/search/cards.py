"""What a listing becomes in the read model: finished JSON, filter tags and folded text. Pure.

`build` is all that is needed to fill `listing_cards`, one listing at a time or a million by COPY.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from memi.catalog.reference import Translated
from memi.catalog.snapshot import CatalogSnapshot, CategoryNode, CodedEntry, Names
from memi.listings.schemas import Cover, ListingRead, Money, Seller
from memi.platform.folding import fold, words

BROWSABLE = frozenset({"ACTIVE", "RESERVED"})
SHOWN = BROWSABLE | {"SOLD"}
_SECTION_DEPTH = 3
_MAX_DOCUMENT_WORDS = 400
_MAX_POSITION = 16383
_encode = msgspec.json.Encoder().encode


class CardRow(msgspec.Struct, frozen=True):
    """A row of `listing_cards`, but for `visible` and `browsable`, which depend on the seller too.

    `document` is the text form of a tsvector. `card` and `page` are JSON objects cut off before the value of their
    last members, which are counted when they are read: see `finish_card` and `finish_page`.
    """

    listing_id: UUID
    seller_id: UUID
    status: str
    version: int
    published_at: datetime
    price: int
    section: str | None
    brand: str | None
    lat: float | None
    lon: float | None
    tags: list[str]
    document: str
    words: str
    card: str
    page: str


class _Card(msgspec.Struct, frozen=True):
    id: UUID
    status: str
    title: str
    price: Money | None
    condition: str | None
    size: str | None
    brand: str | None
    color: str | None
    city: str | None
    category: str
    cover: Cover | None
    seller: Seller
    published_at: datetime


def build(read: ListingRead, catalog: CatalogSnapshot) -> CardRow:
    """The row of a listing whose status is one of `SHOWN`, as `listings.service.render` gives it."""
    assert read.price is not None
    assert read.category is not None
    assert read.published_at is not None
    node = catalog.category(read.category.slug)
    assert node is not None
    brand = brand_key(catalog, read.brand) if read.brand else None
    text = _Text(read, catalog, node)
    return CardRow(
        listing_id=read.id,
        seller_id=read.seller.id,
        status=read.status,
        version=read.version,
        published_at=read.published_at,
        price=read.price.amount,
        section=section_of(node),
        brand=brand,
        lat=read.location.lat if read.location else None,
        lon=read.location.lon if read.location else None,
        tags=_tags(read, node, brand),
        document=text.document(),
        words=" ".join(dict.fromkeys((*text.title, *text.names, *text.traits))),
        card=card_json(read),
        page=page_json(read),
    )


def tag(field: str, value: object) -> str:
    """How an equality filter's value is stored: whatever the case it was written in."""
    if isinstance(value, bool):
        return f"{field}:{'true' if value else 'false'}"
    if isinstance(value, float):
        return f"{field}:{value:g}"
    return f"{field}:{str(value).lower()}"


def attribute_field(key: str) -> str:
    """The tag field of a category's attribute."""
    return f"attr.{key}"


def brand_key(catalog: CatalogSnapshot, written: str) -> str:
    """Slug of the known brand that `written` spells, else its folded text."""
    known = catalog.match_brand(written)
    return known.slug if known else fold(written)


def section_of(node: CategoryNode) -> str | None:
    """Slug of the ancestor whose subtree is narrow enough to have an index of its own; None above it."""
    path = node.path
    return path[_SECTION_DEPTH - 1].slug if len(path) >= _SECTION_DEPTH else None


def _tags(read: ListingRead, node: CategoryNode, brand: str | None) -> list[str]:
    found = [tag("category", step.slug) for step in node.path]
    coded = {
        "condition": read.condition,
        "size": read.size,
        "color": read.color,
        "brand": brand,
        "material": read.material,
        "city": read.city,
    }
    found += [tag(field, value) for field, value in coded.items() if value]
    filterable = {attribute.key for attribute in node.schema if attribute.filterable}
    for key, value in read.attributes.items():
        if key in filterable:
            found += [tag(attribute_field(key), item) for item in _each(value)]
    return found


def _each(value: Any) -> list[Any]:
    if isinstance(value, list):
        return list(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  # JSON
    return [value]


class _Text:
    """A listing's words, by weight: A its title, B names of what it is, C its color and material, D the rest."""

    def __init__(self, read: ListingRead, catalog: CatalogSnapshot, node: CategoryNode) -> None:
        self.title = words(read.title)
        brand = words(read.brand) if read.brand else ()
        self.names = tuple(dict.fromkeys((*brand, *_words_of(step.name for step in node.path))))
        entries: list[CodedEntry | None] = [
            catalog.color(read.color) if read.color else None,
            catalog.material(read.material) if read.material else None,
        ]
        self.traits = _words_of(entry.name for entry in entries if entry)
        self.rest = words(read.description)

    def document(self) -> str:
        positions: dict[str, list[str]] = {}
        position = 0
        for weight, part in (("A", self.title), ("B", self.names), ("C", self.traits), ("", self.rest)):
            for word in part:
                position += 1
                if position > _MAX_POSITION or (word not in positions and len(positions) >= _MAX_DOCUMENT_WORDS):
                    continue
                places = positions.setdefault(word, [])
                if len(places) < 8:
                    places.append(f"{position}{weight}")
            position += 1
        return " ".join(f"'{word}':{','.join(places)}" for word, places in positions.items())


def _words_of(names: Iterable[Names | Translated]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for name in names:
        texts = name.values() if isinstance(name, dict) else (name.az, name.en, name.ru)
        for text in texts:
            found.update(dict.fromkeys(words(text)))
    return tuple(found)


def card_json(read: ListingRead) -> str:
    """The card, cut off before the number of its favourites."""
    cover = next(
        (
            Cover(image.url, image.width or 0, image.height or 0, image.blurhash)
            for image in read.images
            if image.url is not None
        ),
        None,
    )
    assert read.category is not None
    assert read.published_at is not None
    card = _Card(
        id=read.id,
        status=read.status,
        title=read.title,
        price=read.price,
        condition=read.condition,
        size=read.size,
        brand=read.brand,
        color=read.color,
        city=read.city,
        category=read.category.slug,
        cover=cover,
        seller=read.seller,
        published_at=read.published_at,
    )
    return _encode(card)[:-1].decode() + ',"favorite_count":'


def page_json(read: ListingRead) -> str:
    """The whole listing, cut off before its counters."""
    members = {name: getattr(read, name) for name in read.__struct_fields__ if name not in _COUNTED}
    return _encode(members)[:-1].decode() + ',"favorite_count":'


_COUNTED = frozenset({"favorite_count", "view_count"})
_FAVORITE = (b',"is_favorite":false}', b',"is_favorite":true}')


def finish_card(card: bytes, favorites: int, is_favorite: bool) -> bytes:
    """The JSON of a card."""
    return b"%b%d%b" % (card, favorites, _FAVORITE[is_favorite])


def finish_page(page: bytes, favorites: int, views: int, is_favorite: bool) -> bytes:
    """The JSON of a listing's page."""
    return b'%b%d,"view_count":%d%b' % (page, favorites, views, _FAVORITE[is_favorite])
