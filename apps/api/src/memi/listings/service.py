"""Rules of listings for their sellers, and what other features ask of listings."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from memi.catalog import service as catalog
from memi.listings import content, queries
from memi.listings.errors import ImagesNotReady, PriceFrozen, ReadOnly
from memi.listings.events import ListingChanged, Move, PriceDropped
from memi.listings.lifecycle import BROWSABLE, PUBLIC, READ_ONLY, Actor, Status, check_move
from memi.listings.models import Listing, ListingCounters
from memi.listings.moves import hand_over as hand_over
from memi.listings.moves import held_for as held_for
from memi.listings.moves import hold as hold
from memi.listings.moves import lock as lock
from memi.listings.moves import lock_together as lock_together
from memi.listings.moves import move
from memi.listings.moves import release as release
from memi.listings.moves import remove as remove
from memi.listings.moves import restore as restore
from memi.listings.moves import sell as sell
from memi.listings.moves import undelete as undelete
from memi.listings.rendering import READY, stands
from memi.listings.rendering import cover_of as cover_of
from memi.listings.rendering import render as render
from memi.listings.rendering import stubs as stubs
from memi.listings.schemas import ImageInput, ListingCreate, ListingUpdate
from memi.media import service as media
from memi.platform.errors import FieldError, NotFound, StaleVersion, ValidationFailed
from memi.platform.events import publish as tell
from memi.platform.ids import new_id
from memi.platform.permissions import Role
from memi.platform.settings import Settings
from memi.platform.unit_of_work import adapters_of
from memi.users import service as users
from memi.users.errors import NotVerified


def claimant(listing_id: UUID) -> str:
    """The name under which a listing claims its uploads."""
    return f"listing:{listing_id}"


async def visible(session: AsyncSession, listing_id: UUID, viewer_id: UUID | None, *, staff: bool = False) -> Listing:
    """The listing if this person may read it by id, else `NotFound`.

    Anyone: ACTIVE, RESERVED and SOLD ones of sellers in good standing. Owner and staff: every one; a stub that
    stayed of a purged one is for staff.
    """
    listing = await queries.by_id(session, listing_id)
    if listing is None:
        raise NotFound
    if staff or (listing.seller_id == viewer_id and listing.purged_at is None):
        return listing
    if listing.status not in PUBLIC:
        raise NotFound
    sellers = await users.get_many(session, [listing.seller_id])
    if not stands(sellers.get(listing.seller_id)):
        raise NotFound
    return listing


async def create(session: AsyncSession, seller_id: UUID, data: ListingCreate) -> Listing:
    """Make a draft, or with `publish` a listing that is shown at once; nothing is made when it cannot be."""
    if data.publish:
        await _require_verified(session, seller_id)
    snapshot = await catalog.snapshot(session)
    currency = adapters_of(session).get(Settings).currency
    given = {name: getattr(data, name) for name in ListingCreate.model_fields}
    columns, errors = content.to_columns(snapshot, given, currency)
    listing_id = new_id()
    listing = Listing(
        id=listing_id, seller_id=seller_id, currency=currency, status=Status.DRAFT.value, version=1, **columns
    )
    if data.publish:
        listing.attributes = columns.get("attributes", {})
        errors += content.missing(snapshot, listing)
        if not data.images:
            errors.append(_image_required("/images"))
    await _claim(session, listing, data.images, errors, "/images")
    session.add(listing)
    await _flush(session)
    session.add(ListingCounters(listing_id=listing_id))
    await session.flush()
    await queries.replace_images(session, listing_id, [(upload_id, None) for upload_id in data.images])
    tell(session, ListingChanged(listing_id, seller_id))
    if data.publish:
        await _require_ready_image(session, listing_id, "/images")
        await _show(session, listing, "publish")
    return listing


async def update(session: AsyncSession, listing: Listing, data: ListingUpdate, expected: int | None) -> None:
    """Apply a merge patch to a locked listing of the caller's.

    Raises `StaleVersion`, `ReadOnly`, `PriceFrozen`, or `ValidationFailed`: what is shown must stay fit to be shown.
    """
    _check_editable(listing, expected)
    given = {name: getattr(data, name) for name in data.model_fields_set}
    if listing.status == Status.RESERVED and "price" in given and not _is_price_of(listing, data):
        raise PriceFrozen
    snapshot = await catalog.snapshot(session)
    columns, errors = content.to_columns(snapshot, given, listing.currency, listing)
    before = listing.price_amount
    changed = {name: value for name, value in columns.items() if getattr(listing, name) != value}
    for name, value in changed.items():
        setattr(listing, name, value)
    if listing.status in BROWSABLE:
        errors += content.about(content.missing(snapshot, listing), given)
    if errors:
        raise ValidationFailed(content.once_each(errors))
    images_changed = data.images is not None and await _put_images(
        session, listing, [(upload_id, None) for upload_id in data.images], "/images", keep_alt=True
    )
    if not changed and not images_changed:
        return
    listing.version += 1
    await _flush(session)
    after = listing.price_amount
    if listing.status == Status.ACTIVE and before is not None and after is not None and after < before:
        tell(session, PriceDropped(listing.id, listing.seller_id, before, after))
    tell(session, ListingChanged(listing.id, listing.seller_id))


async def set_images(
    session: AsyncSession, listing: Listing, images: Sequence[ImageInput], expected: int | None
) -> None:
    """Choose and order the pictures of a locked listing of the caller's; what is shown keeps a READY one."""
    _check_editable(listing, expected)
    if await _put_images(session, listing, [(image.upload_id, image.alt) for image in images], ""):
        listing.version += 1
        await session.flush()
        tell(session, ListingChanged(listing.id, listing.seller_id))


async def publish(session: AsyncSession, listing: Listing, expected: int | None) -> None:
    """Show a draft; raises what keeps it from being shown."""
    await _show_again(session, listing, "publish", expected)


async def relist(session: AsyncSession, listing: Listing, expected: int | None) -> None:
    """Show an expired listing for another period."""
    await _show_again(session, listing, "relist", expected)


async def unpublish(session: AsyncSession, listing: Listing, expected: int | None) -> None:
    """Take an ACTIVE listing back to the drafts."""
    await _by_owner(session, listing, "unpublish", expected)


async def reserve(session: AsyncSession, listing: Listing, expected: int | None) -> None:
    """The seller keeps it for somebody: takes the one hold, for nobody in particular and without an end."""
    _check_version(listing, expected)
    await hold(session, listing, kind="MANUAL", holder_id=None, reference_id=None, expires_at=None, by=Actor.OWNER)


async def unreserve(session: AsyncSession, listing: Listing, expected: int | None) -> None:
    """End whatever hold there is; a reservation or order it was for hears of it by `ListingMoved`."""
    await _by_owner(session, listing, "unreserve", expected)


async def sold(session: AsyncSession, listing: Listing, expected: int | None) -> None:
    """The seller sold it, to the holder or elsewhere."""
    await _by_owner(session, listing, "sold", expected)


async def delete(session: AsyncSession, listing: Listing, expected: int | None) -> None:
    """The seller takes it down; restorable by an administrator until it is purged."""
    await _by_owner(session, listing, "delete", expected)


async def owned(
    session: AsyncSession, seller_id: UUID, status: str | None, before: UUID | None, limit: int
) -> Sequence[UUID]:
    """Ids of one's own listings, newest first."""
    return await queries.owned(session, seller_id, status, before, limit)


async def count_favorite(session: AsyncSession, listing_id: UUID, difference: int) -> None:
    """Move the favourites counter by +1 or -1, without touching the listing's version."""
    await queries.add_favorites(session, listing_id, difference)


async def _by_owner(session: AsyncSession, listing: Listing, name: Move, expected: int | None) -> None:
    _check_version(listing, expected)
    await move(session, listing, name, Actor.OWNER)


async def _show_again(session: AsyncSession, listing: Listing, name: Move, expected: int | None) -> None:
    _check_version(listing, expected)
    check_move(listing.status, name, Actor.OWNER)
    await _require_verified(session, listing.seller_id)
    errors = content.missing(await catalog.snapshot(session), listing)
    statuses = await _image_statuses(session, listing.id)
    if READY not in statuses and not content.still_processing(statuses):
        errors.append(_image_required("/images"))
    if errors:
        raise ValidationFailed(errors)
    if READY not in statuses:
        raise ImagesNotReady
    await _show(session, listing, name)


async def _show(session: AsyncSession, listing: Listing, name: Move) -> None:
    await move(session, listing, name, Actor.OWNER)
    seller = await users.get(session, listing.seller_id)
    if Role.SELLER not in seller.roles:
        await users.grant_role(session, listing.seller_id, Role.SELLER)


async def _require_verified(session: AsyncSession, seller_id: UUID) -> None:
    if not adapters_of(session).get(Settings).require_verified_email:
        return
    seller = await users.get(session, seller_id)
    if seller.email_verified_at is None:
        raise NotVerified


async def _flush(session: AsyncSession) -> None:
    """Raises `ValidationFailed` for a category that was deleted at this moment."""
    try:
        await session.flush()
    except IntegrityError as error:
        if getattr(error.orig.__cause__ if error.orig else None, "constraint_name", "") != "fk_listings_category_id":
            raise
        raise ValidationFailed.of("/category", "unknown_value", "There is no such category.") from None


def _check_version(listing: Listing, expected: int | None) -> None:
    if expected is not None and expected != listing.version:
        raise StaleVersion


def _check_editable(listing: Listing, expected: int | None) -> None:
    _check_version(listing, expected)
    if listing.status in READ_ONLY:
        raise ReadOnly


def _is_price_of(listing: Listing, data: ListingUpdate) -> bool:
    return (
        data.price is not None and data.price.amount == listing.price_amount and data.price.currency == listing.currency
    )


async def _claim(
    session: AsyncSession, listing: Listing, upload_ids: Sequence[UUID], errors: list[FieldError], pointer: str
) -> None:
    """Claim the uploads for the listing; raises `ValidationFailed` with these errors and those of the uploads."""
    try:
        if upload_ids:
            await media.attach(session, listing.seller_id, list(upload_ids), claimant(listing.id), pointer=pointer)
    except ValidationFailed as refusal:
        errors = [*errors, *refusal.errors]
    if errors:
        raise ValidationFailed(content.once_each(errors)) from None


async def _put_images(
    session: AsyncSession,
    listing: Listing,
    chosen: list[tuple[UUID, str | None]],
    pointer: str,
    *,
    keep_alt: bool = False,
) -> bool:
    """Whether the pictures are others than before."""
    present: list[tuple[UUID, str | None]] = [
        (image.upload_id, image.alt) for image in await queries.images(session, [listing.id])
    ]
    if keep_alt:
        texts: dict[UUID, Any] = dict(present)
        chosen = [(upload_id, texts.get(upload_id)) for upload_id, _ in chosen]
    if chosen == present:
        return False
    await _claim(session, listing, [upload_id for upload_id, _ in chosen], [], pointer)
    await queries.replace_images(session, listing.id, chosen)
    kept = {upload_id for upload_id, _ in chosen}
    dropped = [upload_id for upload_id, _ in present if upload_id not in kept]
    if dropped:
        await media.detach(session, claimant(listing.id), dropped)
    if listing.status in BROWSABLE:
        await _require_ready_image(session, listing.id, pointer)
    return True


async def _image_statuses(session: AsyncSession, listing_id: UUID) -> set[str]:
    rows = await queries.images(session, [listing_id])
    return {image.status for image in (await media.images(session, [row.upload_id for row in rows])).values()}


async def _require_ready_image(session: AsyncSession, listing_id: UUID, pointer: str) -> None:
    statuses = await _image_statuses(session, listing_id)
    if READY in statuses:
        return
    if content.still_processing(statuses):
        raise ImagesNotReady
    raise ValidationFailed([_image_required(pointer)])


def _image_required(pointer: str) -> FieldError:
    return FieldError(pointer, "required", "Publishing needs an image.")
