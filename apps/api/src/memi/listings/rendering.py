"""How listings are shown: whole, and as stubs. Any number of them costs the same few statements."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.catalog import service as catalog
from memi.catalog.snapshot import CatalogSnapshot
from memi.listings import queries
from memi.listings.lifecycle import PUBLIC
from memi.listings.models import Listing, ListingImage
from memi.listings.schemas import (
    CategoryRead,
    CategoryStep,
    Cover,
    ListingImageRead,
    ListingRead,
    ListingStub,
    Location,
    Money,
    Seller,
)
from memi.media import service as media
from memi.media.schemas import ImageRead
from memi.users import service as users
from memi.users.models import User

READY = "READY"
_Shown = list[tuple[ListingImage, ImageRead]]


async def render(
    session: AsyncSession, listing_ids: Sequence[UUID], *, for_owner: bool = False, lang: str = "az"
) -> dict[UUID, ListingRead]:
    """Listings by id; unknown ids are absent. Pictures that are not READY are left out of what others can read,
    unless `for_owner`. `lang` chooses the language of category names."""
    if not listing_ids:
        return {}
    rows = await queries.whole(session, listing_ids)
    pictures = await _pictures(session, listing_ids)
    sellers = await users.get_many(session, [listing.seller_id for listing, _, _ in rows])
    snapshot = await catalog.snapshot(session)
    if any(item.category_id and snapshot.category_by_id(item.category_id) is None for item, _, _ in rows):
        snapshot = await catalog.newest(session)  # a category that was made a moment ago, by another process
    found: dict[UUID, ListingRead] = {}
    for listing, favorites, views in rows:
        seller = sellers[listing.seller_id]
        every = for_owner or listing.status not in PUBLIC
        found[listing.id] = ListingRead(
            id=listing.id,
            status=listing.status,
            title=listing.title,
            description=listing.description,
            price=price_of(listing),
            condition=listing.condition,
            category=category_of(snapshot, listing.category_id, lang),
            attributes=listing.attributes,
            size=listing.size,
            color=listing.color,
            brand=listing.brand,
            material=listing.material,
            city=listing.city,
            location=_location(listing),
            images=[
                _image(image, upload)
                for image, upload in pictures.get(listing.id, [])
                if every or upload.status == READY
            ],
            seller=Seller(seller.id, seller.shown_name, seller.shown_avatar_url),
            favorite_count=favorites,
            view_count=views,
            version=listing.version,
            created_at=listing.created_at,
            published_at=listing.published_at,
            expires_at=listing.expires_at,
            sold_at=listing.sold_at,
        )
    return found


async def stubs(session: AsyncSession, listing_ids: Sequence[UUID]) -> dict[UUID, ListingStub]:
    """The little that chats, deals and favourites show of listings, whatever has become of them."""
    if not listing_ids:
        return {}
    rows = await queries.whole(session, listing_ids)
    pictures = await _pictures(session, listing_ids)
    sellers = await users.get_many(session, [listing.seller_id for listing, _, _ in rows])
    return {
        listing.id: ListingStub(
            id=listing.id,
            title=listing.title,
            price=price_of(listing),
            status=listing.status,
            cover=_cover(pictures.get(listing.id, [])),
            available=listing.status in PUBLIC and stands(sellers.get(listing.seller_id)),
        )
        for listing, _, _ in rows
    }


async def cover_of(session: AsyncSession, listing_id: UUID) -> UUID | None:
    """The upload that stubs show, if there is one."""
    pictures = (await _pictures(session, [listing_id])).get(listing_id, [])
    return next((image.upload_id for image, upload in pictures if _cover([(image, upload)]) is not None), None)


def stands(seller: User | None) -> bool:
    """Whether the seller's things may be shown to others."""
    return seller is not None and not seller.is_blocked and seller.deleted_at is None


def price_of(listing: Listing) -> Money | None:
    return None if listing.price_amount is None else Money(listing.price_amount, listing.currency)


async def _pictures(session: AsyncSession, listing_ids: Sequence[UUID]) -> dict[UUID, _Shown]:
    rows = await queries.images(session, listing_ids)
    uploads = await media.images(session, [row.upload_id for row in rows])
    found: dict[UUID, _Shown] = {}
    for row in rows:
        found.setdefault(row.listing_id, []).append((row, uploads[row.upload_id]))
    return found


def _image(image: ListingImage, upload: ImageRead) -> ListingImageRead:
    return ListingImageRead(
        id=upload.id,
        status=upload.status,
        url=upload.url,
        width=upload.width,
        height=upload.height,
        blurhash=upload.blurhash,
        renditions=upload.renditions,
        alt=image.alt,
    )


def _cover(pictures: _Shown) -> Cover | None:
    for _, upload in pictures:
        if upload.status == READY and upload.url is not None:
            return Cover(upload.url, upload.width or 0, upload.height or 0, upload.blurhash)
    return None


def _location(listing: Listing) -> Location | None:
    return None if listing.lat is None or listing.lon is None else Location(listing.lat, listing.lon)


def category_of(snapshot: CatalogSnapshot, category_id: UUID | None, lang: str) -> CategoryRead | None:
    node = None if category_id is None else snapshot.category_by_id(category_id)
    if node is None:
        return None
    steps = [CategoryStep(step.slug, step.name[lang]) for step in node.path]
    return CategoryRead(node.slug, node.name[lang], steps)
