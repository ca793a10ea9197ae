"""HTTP for staff: listings in every status, taken down and put back, and their flags."""

from uuid import UUID

from litestar import Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from memi.admin import flags, service, views
from memi.admin.errors import SellerGone
from memi.admin.refusals import COLLECTION, DEED
from memi.admin.schemas import FlagRead, FlagRequest, ListingQuery, ModeratedListing, OptionalReason, Reason
from memi.listings import moderation
from memi.listings.errors import FlagExists, FlagIsResolved, IllegalTransition, ListingPurged
from memi.listings.moderation import ListingSearch
from memi.listings.schemas import ListingRead
from memi.platform.dependencies import QUERY_MODEL, App, Caller, IfMatch, Session, query_of, requires
from memi.platform.errors import StaleVersion
from memi.platform.paging import Listed, listed, place_of
from memi.platform.permissions import Permission
from memi.platform.problems import problems

_MAY = requires(Permission.LISTINGS_MODERATE)


@get(
    "/admin/listings",
    guards=[_MAY],
    dependencies={"asked": query_of(ListingQuery)},
    opt={QUERY_MODEL: ListingQuery},
    responses=COLLECTION,
)
async def find_listings(asked: NamedDependency[ListingQuery], app: App, session: Session) -> Listed[ModeratedListing]:
    """Every listing in any status, newest first, with its flags."""
    place = place_of(app.cursors, "admin.listings", asked, (UUID,))
    wanted = ListingSearch(asked.status, asked.seller, asked.flag, asked.flagged)
    found = await moderation.find(session, wanted, place)
    return listed(app.cursors, place, found, await views.moderated(session, found.rows), lambda item: (item.id,))


@post(
    "/admin/listings/{listing_id:uuid}/remove",
    status_code=200,
    guards=[_MAY],
    responses=problems(*DEED, IllegalTransition, StaleVersion),
)
async def remove_listing(
    listing_id: FromPath[UUID], data: JSONBody[Reason], caller: Caller, session: Session, if_match: IfMatch
) -> Response[ListingRead]:
    """Take a listing down. Its owner sees it as REMOVED and reads the reason; to everyone else it is not there."""
    await service.remove_listing(session, caller, listing_id, data.reason, if_match)
    return await views.one_listing(session, listing_id)


@post(
    "/admin/listings/{listing_id:uuid}/restore",
    status_code=200,
    guards=[_MAY],
    responses=problems(*DEED, IllegalTransition, ListingPurged, SellerGone, StaleVersion),
)
async def restore_listing(
    listing_id: FromPath[UUID], data: JSONBody[OptionalReason], caller: Caller, session: Session, if_match: IfMatch
) -> Response[ListingRead]:
    """Put a removed listing back to the status it had; also one that its owner deleted, with `listings:restore`.

    409 `listing_purged` once only a stub is left of it.
    """
    await service.restore_listing(session, caller, listing_id, data.reason, if_match)
    return await views.one_listing(session, listing_id)


@post(
    "/admin/listings/{listing_id:uuid}/flags",
    guards=[_MAY],
    responses=problems(*DEED, FlagExists, StaleVersion),
)
async def flag_listing(
    listing_id: FromPath[UUID], data: JSONBody[FlagRequest], caller: Caller, session: Session, if_match: IfMatch
) -> FlagRead:
    """Have colleagues look at a listing. `If-Match` is the listing's."""
    return views.flag(await flags.add(session, caller, listing_id, data.kind, data.note, expected=if_match))


@post(
    "/admin/listings/{listing_id:uuid}/flags/{flag_id:uuid}/resolve",
    status_code=200,
    guards=[_MAY],
    responses=problems(*DEED, FlagIsResolved, StaleVersion),
)
async def resolve_flag(
    listing_id: FromPath[UUID],
    flag_id: FromPath[UUID],
    data: JSONBody[OptionalReason],
    caller: Caller,
    session: Session,
    *,
    if_match: IfMatch,
) -> FlagRead:
    """Say that a flag was looked at. `If-Match` is the listing's: what was looked at is what it is now."""
    found = await flags.resolve(session, caller, listing_id, flag_id, reason=data.reason, expected=if_match)
    return views.flag(found)


router = Router(
    "",
    route_handlers=[find_listings, remove_listing, restore_listing, flag_listing, resolve_flag],
    tags=["admin"],
)
