"""Typed guards: a route that asks for an `OwnedListing` cannot be called by anyone but its seller."""

from typing import NewType
from uuid import UUID

from litestar.params import FromPath

from memi.listings import queries, service
from memi.listings.errors import NotOwner
from memi.listings.models import Listing
from memi.platform.dependencies import App, Caller, Session
from memi.platform.permissions import Permission

OwnedListing = NewType("OwnedListing", Listing)
"""The caller's own listing, locked until the end of the request."""


async def owned_listing(listing_id: FromPath[UUID], caller: Caller, session: Session) -> OwnedListing:
    """404 when the caller may not see it, 403 `not_owner` when they may but it is another's."""
    listing = await queries.lock_owned(session, listing_id, caller.user_id)
    if listing is None:
        await service.visible(session, listing_id, caller.user_id, staff=caller.may(Permission.LISTINGS_MODERATE))
        raise NotOwner
    return OwnedListing(listing)


OwnListing = NewType("OwnListing", Listing)
"""The caller's own listing as it was a moment ago; no lock and no connection is kept, for reads that take time."""


async def own_listing(listing_id: FromPath[UUID], caller: Caller, app: App) -> OwnListing:
    """404 when the caller may not see it, 403 `not_owner` when they may but it is another's."""
    async with app.unit_of_work() as session:
        staff = caller.may(Permission.LISTINGS_MODERATE)
        listing = await service.visible(session, listing_id, caller.user_id, staff=staff)
    if listing.seller_id != caller.user_id:
        raise NotOwner
    return OwnListing(listing)
