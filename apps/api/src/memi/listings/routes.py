"""HTTP: sellers' side of listings. Reading and browsing them is search's."""

from uuid import UUID

from litestar import Response, Router, delete, get, patch, post, put
from litestar.di import NamedDependency, Provide
from litestar.params import JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from memi.listings import service
from memi.listings.errors import IllegalTransition, ImagesNotReady, NotOwner, PriceFrozen, ReadOnly
from memi.listings.guards import OwnedListing, owned_listing
from memi.listings.schemas import ImageOrder, ListingCreate, ListingRead, ListingUpdate, MyListingsQuery
from memi.platform.cursors import Page
from memi.platform.dependencies import QUERY_MODEL, App, Caller, IfMatch, Session, query_of
from memi.platform.errors import InvalidCursor, NotAuthenticated, NotFound, StaleVersion, ValidationFailed
from memi.platform.etags import tagged
from memi.platform.impersonation import IMPERSONATION, OpenTo
from memi.platform.problems import problems
from memi.users.errors import NotVerified

_OWNED = {"listing": Provide(owned_listing)}
_GUARDED = (NotAuthenticated, NotFound, NotOwner, StaleVersion)
_MOVED = problems(*_GUARDED, IllegalTransition)
_SHOWN = problems(*_GUARDED, IllegalTransition, ImagesNotReady, NotVerified, ValidationFailed)
Owned = NamedDependency[OwnedListing]


async def _reply(
    session: AsyncSession, listing_id: UUID, *, status_code: int | None = None, **headers: str
) -> Response[ListingRead]:
    read = (await service.render(session, [listing_id], for_owner=True))[listing_id]
    counters = (read.favorite_count, read.view_count)
    return tagged(read, read.version, *counters, status_code=status_code, **headers)


@post("/listings", responses=problems(NotAuthenticated, NotVerified, ImagesNotReady, ValidationFailed))
async def create_listing(data: JSONBody[ListingCreate], caller: Caller, session: Session) -> Response[ListingRead]:
    """Save a draft, or show the item at once with `publish`."""
    listing = await service.create(session, caller.user_id, data)
    return await _reply(session, listing.id, status_code=201, Location=f"/api/v1/listings/{listing.id}")


@patch(
    "/listings/{listing_id:uuid}",
    dependencies=_OWNED,
    responses=problems(*_GUARDED, ReadOnly, PriceFrozen, ImagesNotReady, ValidationFailed),
)
async def update_listing(
    data: JSONBody[ListingUpdate], listing: Owned, session: Session, if_match: IfMatch
) -> Response[ListingRead]:
    """Change a listing by JSON merge patch. What is shown must stay fit to be shown."""
    await service.update(session, listing, data, if_match)
    return await _reply(session, listing.id)


@put(
    "/listings/{listing_id:uuid}/images",
    dependencies=_OWNED,
    responses=problems(*_GUARDED, ReadOnly, ImagesNotReady, ValidationFailed),
)
async def set_listing_images(
    data: JSONBody[ImageOrder], listing: Owned, session: Session, if_match: IfMatch
) -> Response[ListingRead]:
    """Choose and order the pictures, at most eight; the first is the cover."""
    await service.set_images(session, listing, data.root, if_match)
    return await _reply(session, listing.id)


@delete("/listings/{listing_id:uuid}", status_code=204, dependencies=_OWNED, responses=_MOVED)
async def delete_listing(listing: Owned, session: Session, if_match: IfMatch) -> None:
    """Take a listing down for good."""
    await service.delete(session, listing, if_match)


@post("/listings/{listing_id:uuid}/publish", status_code=200, dependencies=_OWNED, responses=_SHOWN)
async def publish_listing(listing: Owned, session: Session, if_match: IfMatch) -> Response[ListingRead]:
    """Show a draft."""
    await service.publish(session, listing, if_match)
    return await _reply(session, listing.id)


@post("/listings/{listing_id:uuid}/unpublish", status_code=200, dependencies=_OWNED, responses=_MOVED)
async def unpublish_listing(listing: Owned, session: Session, if_match: IfMatch) -> Response[ListingRead]:
    """Take an ACTIVE listing back to the drafts."""
    await service.unpublish(session, listing, if_match)
    return await _reply(session, listing.id)


@post("/listings/{listing_id:uuid}/reserve", status_code=200, dependencies=_OWNED, responses=_MOVED)
async def reserve_listing(listing: Owned, session: Session, if_match: IfMatch) -> Response[ListingRead]:
    """Keep the item for somebody by hand."""
    await service.reserve(session, listing, if_match)
    return await _reply(session, listing.id)


@post("/listings/{listing_id:uuid}/unreserve", status_code=200, dependencies=_OWNED, responses=_MOVED)
async def unreserve_listing(listing: Owned, session: Session, if_match: IfMatch) -> Response[ListingRead]:
    """End the item's hold, whoever it was for."""
    await service.unreserve(session, listing, if_match)
    return await _reply(session, listing.id)


@post("/listings/{listing_id:uuid}/sold", status_code=200, dependencies=_OWNED, responses=_MOVED)
async def mark_listing_sold(listing: Owned, session: Session, if_match: IfMatch) -> Response[ListingRead]:
    """The item is sold."""
    await service.sold(session, listing, if_match)
    return await _reply(session, listing.id)


@post("/listings/{listing_id:uuid}/relist", status_code=200, dependencies=_OWNED, responses=_SHOWN)
async def relist_listing(listing: Owned, session: Session, if_match: IfMatch) -> Response[ListingRead]:
    """Show an expired listing again."""
    await service.relist(session, listing, if_match)
    return await _reply(session, listing.id)


@get(
    "/users/me/listings",
    dependencies={"asked": query_of(MyListingsQuery)},
    opt={QUERY_MODEL: MyListingsQuery, IMPERSONATION: OpenTo.ALL},
    responses=problems(NotAuthenticated, InvalidCursor, ValidationFailed),
)
async def list_my_listings(
    asked: NamedDependency[MyListingsQuery], caller: Caller, session: Session, app: App
) -> Page[ListingRead]:
    """One's own listings, newest first; deleted ones only with `status=DELETED`."""
    scope = f"my-listings:{caller.user_id}:{asked.status}"
    before: UUID | None = None
    if asked.cursor is not None:
        (value,) = app.cursors.decode(scope, asked.cursor, (UUID,))
        before = UUID(str(value))
    ids = await service.owned(session, caller.user_id, asked.status, before, asked.limit + 1)
    shown = ids[: asked.limit]
    found = await service.render(session, shown, for_owner=True)
    cursor = app.cursors.encode(scope, shown[-1]) if len(ids) > asked.limit else None
    return Page([found[listing_id] for listing_id in shown if listing_id in found], cursor)


router = Router(
    "",
    route_handlers=[
        create_listing,
        update_listing,
        set_listing_images,
        delete_listing,
        publish_listing,
        unpublish_listing,
        reserve_listing,
        unreserve_listing,
        mark_listing_sold,
        relist_listing,
        list_my_listings,
    ],
    tags=["listings"],
)
