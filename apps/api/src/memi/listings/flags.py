"""Flags: what moderators should look at. The listing is locked first, so that two at once see each other."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.listings import flag_queries as queries
from memi.listings.errors import FlagExists, FlagIsResolved
from memi.listings.models import Listing, ListingFlag
from memi.platform.errors import NotFound


async def add(session: AsyncSession, listing: Listing, kind: str, note: str | None) -> ListingFlag:
    """Flag a locked listing by hand; raises `FlagExists` while one of this kind, raised by people, is open."""
    if await queries.open_of_kind(session, listing.id, kind) is not None:
        raise FlagExists
    flag = ListingFlag(listing_id=listing.id, kind=kind, source="USER", note=note)
    session.add(flag)
    await session.flush()
    await session.refresh(flag)
    return flag


async def resolve(session: AsyncSession, listing: Listing, flag_id: UUID) -> ListingFlag:
    """Close a flag of a locked listing; raises `NotFound`, `FlagIsResolved`."""
    flag = await queries.lock(session, listing.id, flag_id)
    if flag is None:
        raise NotFound
    if flag.resolved_at is not None:
        raise FlagIsResolved
    (closed,) = await queries.resolve(session, listing.id, flag_id)
    return closed


async def resolve_all(session: AsyncSession, listing: Listing) -> Sequence[ListingFlag]:
    """Close every open flag of a locked listing; those that were closed now."""
    return await queries.resolve(session, listing.id, None)
