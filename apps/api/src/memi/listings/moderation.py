"""Listings as moderators look for them: in every status, by what is flagged."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.listings import moderation_queries as queries
from memi.listings.models import ListingFlag
from memi.listings.moderation_queries import ListingSearch as ListingSearch
from memi.platform.paging import Found, Place


async def find(session: AsyncSession, wanted: ListingSearch, place: Place) -> Found[UUID]:
    """Ids, newest first."""
    return await queries.find(session, wanted, place)


async def purged(session: AsyncSession, listing_ids: Sequence[UUID]) -> dict[UUID, datetime]:
    """Since when only a stub is left of these; of the others nothing is said."""
    return await queries.purged(session, listing_ids)


async def flags_of(session: AsyncSession, listing_ids: Sequence[UUID]) -> dict[UUID, list[ListingFlag]]:
    """The flags of each of these listings, newest first, resolved ones too."""
    flags: dict[UUID, list[ListingFlag]] = defaultdict(list)
    for item in await queries.flags_of(session, listing_ids):
        flags[item.listing_id].append(item)
    return flags
