"""A believable catalogue of any size, written by COPY: for trying memi with a full shop and for measuring it.

The rows are what the services would have written; cards are built by the same function that keeps them.
"""

import asyncio
import random
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from memi.catalog.service import Catalog
from memi.catalog.snapshot import CatalogSnapshot, CategoryNode
from memi.demo.pictures import draw_picture
from memi.demo.wording import SELLERS, Item, make_item
from memi.listings.schemas import CategoryRead, CategoryStep, ListingImageRead, ListingRead, Money, Seller
from memi.media.processing_pool import ImagePool
from memi.media.schemas import RenditionRead
from memi.media.store import Area, new_key, store_of
from memi.platform import clock
from memi.platform.ids import new_id
from memi.platform.runtime import Runtime
from memi.search.cards import build
from memi.search.projection import learn_vocabulary

_BATCH = 5_000
_LISTINGS_PER_SELLER = 40
_PICTURES_PER_SECTION = 4
_SPREAD_DAYS = 50
_SOLD_SHARE = 0.05

_STAGE = """
CREATE TEMP TABLE staged_cards (listing_id uuid, seller_id uuid, status text, version int, published_at timestamptz,
    price bigint, section text, brand text, tags text[], document text, words text, card bytea, page bytea)
"""
_FROM_STAGE = """
INSERT INTO listing_cards (listing_id, seller_id, status, version, visible, browsable, published_at, price, section,
    brand, tags, document, words, card, page)
SELECT listing_id, seller_id, status, version, true, status <> 'SOLD', published_at, price, section, brand, tags,
    document::tsvector, words, card, page FROM staged_cards
"""
_USERS = ("id", "email", "name", "city", "roles", "email_verified_at")
_UPLOADS = [
    "id",
    "owner_id",
    "filename",
    "content_type",
    "size",
    "status",
    "incoming_key",
    "original_key",
    "width",
    "height",
    "blurhash",
    "phash",
    "renditions",
    "unclaimed_since",
    "url_expires_at",
    "finished_at",
]
_LISTINGS = [
    "id",
    "seller_id",
    "title",
    "description",
    "price_amount",
    "currency",
    "condition",
    "category_id",
    "size",
    "color",
    "brand",
    "brand_slug",
    "material",
    "city",
    "status",
    "published_at",
    "expires_at",
    "sold_at",
]
_CARDS = [
    "listing_id",
    "seller_id",
    "status",
    "version",
    "published_at",
    "price",
    "section",
    "brand",
    "tags",
    "document",
    "words",
    "card",
    "page",
]


@dataclass(frozen=True)
class _Picture:
    upload_id: UUID
    record: tuple[Any, ...]
    image: ListingImageRead


async def fill(runtime: Runtime, listings: int, report: Callable[[int, int], None]) -> None:
    """Add `listings` listings of new sellers; `report` is told (written, of how many).

    A batch is written whole or not at all.
    """
    snapshot = await runtime.adapters.get(Catalog).snapshot()
    connection = await asyncpg.connect(runtime.database.url)
    try:
        sellers = [
            (new_id(), name) for name, _ in zip(_names(), range(max(1, listings // _LISTINGS_PER_SELLER)), strict=False)
        ]
        pictures = await _pictures(runtime, sellers[0][0])
        await connection.execute(_STAGE)
        await _write_sellers(connection, sellers, pictures)
        writer = _Writer(connection, runtime, snapshot, sellers, pictures)
        for start in range(0, listings, _BATCH):
            await writer.write(range(start, min(start + _BATCH, listings)))
            report(min(start + _BATCH, listings), listings)
        await writer.count_for_sellers()
    finally:
        await connection.close()
    async with runtime.unit_of_work() as session:
        await learn_vocabulary(session)


def _names() -> Iterator[str]:
    while True:
        yield from SELLERS


async def _pictures(runtime: Runtime, owner_id: UUID) -> dict[str, list[_Picture]]:
    """A few real pictures for each section of the shop, which all its listings share."""
    sections = [
        f"{who}-{what}" for who in ("women", "men", "kids") for what in ("clothes", "shoes", "bags", "accessories")
    ]
    found: dict[str, list[_Picture]] = {section: [] for section in sections}
    for section in sections:
        for number in range(_PICTURES_PER_SECTION):
            found[section].append(await _picture(runtime, owner_id, section, number))
    return found


async def _picture(runtime: Runtime, owner_id: UUID, section: str, seed: int) -> _Picture:
    item = make_item(seed * 131 + len(section))
    drawn = await asyncio.to_thread(
        draw_picture, seed, category=section, color_hex=item.color_hex, width=720, height=960
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.jpg"
        path.write_bytes(drawn)
        made = await runtime.adapters.get(ImagePool).process(path, declared_type="image/jpeg")
    store = store_of(runtime.adapters)
    stored: list[dict[str, Any]] = []
    for rendition in made.renditions:
        key = new_key(Area.PUBLIC, ".webp")
        await store.put(key, rendition.data, rendition.content_type)
        stored.append(
            {"key": key, "width": rendition.width, "height": rendition.height, "content_type": rendition.content_type}
        )
    upload_id, now = new_id(), clock.now()
    shown = [
        RenditionRead(store.public_url(item["key"]), item["width"], item["height"], item["content_type"])
        for item in stored
    ]
    image = ListingImageRead(
        upload_id, "READY", shown[-1].url, shown[-1].width, shown[-1].height, made.blurhash, shown, None
    )
    record = (
        upload_id, owner_id, f"{section}.jpg", "image/jpeg", len(drawn), "READY", new_key(Area.INCOMING),
        new_key(Area.ORIGINALS), made.width, made.height, made.blurhash, made.phash,
        msgspec.json.encode(stored).decode(), None, now, now,
    )  # fmt: skip
    return _Picture(upload_id, record, image)


async def _write_sellers(
    connection: "asyncpg.Connection[Any]", sellers: list[tuple[UUID, str]], pictures: dict[str, list[_Picture]]
) -> None:
    now = clock.now()
    async with connection.transaction():
        await connection.copy_records_to_table(
            "users",
            records=[
                (user_id, f"seller-{user_id.hex}@memi.example", name, None, ["USER", "SELLER"], now)
                for user_id, name in sellers
            ],
            columns=_USERS,
        )
        every = [picture for group in pictures.values() for picture in group]
        await connection.copy_records_to_table("uploads", records=[item.record for item in every], columns=_UPLOADS)
        await connection.copy_records_to_table(
            "upload_claims",
            records=[(item.upload_id, "bulk") for item in every],
            columns=("upload_id", "claimant"),
        )


class _Writer:
    """Turns numbers into listings, a batch a transaction."""

    def __init__(
        self,
        connection: "asyncpg.Connection[Any]",
        runtime: Runtime,
        snapshot: CatalogSnapshot,
        sellers: list[tuple[UUID, str]],
        pictures: dict[str, list[_Picture]],
    ) -> None:
        self._connection = connection
        self._snapshot = snapshot
        self._currency = runtime.settings.currency
        self._life = timedelta(days=runtime.settings.listing_days)
        self._sellers = sellers
        self._pictures = pictures
        self._now = clock.now()
        self._chance = random.Random(str(sellers[0][0]))  # noqa: S311  # nothing secret depends on it
        self._categories: dict[str, CategoryRead] = {}
        self._offset = self._chance.randrange(1_000_000_000)

    async def write(self, numbers: range) -> None:
        """One batch of listings with their pictures, counters and cards."""
        made = [self._listing(number) for number in numbers]
        connection = self._connection
        cards = [build(read, self._snapshot) for _, read in made]
        async with connection.transaction():
            await connection.copy_records_to_table("listings", records=[row for row, _ in made], columns=_LISTINGS)
            await connection.copy_records_to_table(
                "listing_images",
                records=[(read.id, 0, read.images[0].id) for _, read in made],
                columns=("listing_id", "position", "upload_id"),
            )
            await connection.copy_records_to_table(
                "listing_counters",
                records=[(read.id, read.favorite_count, read.view_count) for _, read in made],
                columns=("listing_id", "favorite_count", "view_count"),
            )
            await connection.execute("TRUNCATE staged_cards")
            records = [
                (*(getattr(card, name) for name in _CARDS[:-2]), card.card.encode(), card.page.encode())
                for card in cards
            ]
            await connection.copy_records_to_table("staged_cards", records=records, columns=_CARDS)
            await connection.execute(_FROM_STAGE)

    async def count_for_sellers(self) -> None:
        """The numbers on the sellers' profiles."""
        await self._connection.execute(
            "INSERT INTO seller_stats (user_id, active_listing_count, sold_count) "
            "SELECT seller_id, count(*) FILTER (WHERE status = 'ACTIVE'), count(*) FILTER (WHERE status = 'SOLD') "
            "FROM listings WHERE seller_id = ANY($1::uuid[]) GROUP BY seller_id",
            [user_id for user_id, _ in self._sellers],
        )

    def _listing(self, number: int) -> tuple[tuple[Any, ...], ListingRead]:
        chance = self._chance
        item = make_item(self._offset + number)
        seller_id, seller_name = self._sellers[number % len(self._sellers)]
        published = self._now - timedelta(seconds=chance.uniform(0, _SPREAD_DAYS * 86_400))
        sold = published + (self._now - published) / 2 if chance.random() < _SOLD_SHARE else None
        read = self._read(item, Seller(seller_id, seller_name, None), published, sold)
        node = self._node(item)
        row = (
            read.id, seller_id, item.title, item.description, item.price, self._currency, item.condition, node.id,
            item.size, item.color, item.brand, item.brand_slug, item.material, item.city, read.status, published,
            read.expires_at, sold,
        )  # fmt: skip
        return row, read

    def _read(self, item: Item, seller: Seller, published: datetime, sold: datetime | None) -> ListingRead:
        section = "-".join(item.category.split("-", 2)[:2])
        return ListingRead(
            id=new_id(),
            status="SOLD" if sold else "ACTIVE",
            title=item.title,
            description=item.description,
            price=Money(item.price, self._currency),
            condition=item.condition,
            category=self._category(item),
            attributes={},
            size=item.size,
            color=item.color,
            brand=item.brand,
            material=item.material,
            city=item.city,
            location=None,
            images=[self._chance.choice(self._pictures[section]).image],
            seller=seller,
            favorite_count=0,
            view_count=0,
            version=1,
            created_at=published,
            published_at=published,
            expires_at=published + self._life,
            sold_at=sold,
        )

    def _category(self, item: Item) -> CategoryRead:
        if item.category not in self._categories:
            node = self._node(item)
            steps = [CategoryStep(step.slug, step.name["az"]) for step in node.path]
            self._categories[item.category] = CategoryRead(node.slug, node.name["az"], steps)
        return self._categories[item.category]

    def _node(self, item: Item) -> CategoryNode:
        node = self._snapshot.category(item.category)
        assert node is not None
        return node
