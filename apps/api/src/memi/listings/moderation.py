"""Listings as moderators look for them: in every status, by what is flagged."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.listings import moderation_queries as queries
from memi.listings.models import ListingFlag


@dataclass(frozen=True)
class Found:
    """A listing and its flags, newest first."""

    listing_id: UUID
    flags: Sequence[ListingFlag]


async def find(
    session: AsyncSession,
    *,
    status: str | None,
    seller_id: UUID | None,
    flag: str | None,
    before: UUID | None,
    limit: int,
) -> list[Found]:
    """Newest first, below the id `before`; `flag` asks for an open flag of that kind."""
    ids = await queries.find(session, status=status, seller_id=seller_id, flag=flag, before=before, limit=limit)
    flags: dict[UUID, list[ListingFlag]] = defaultdict(list)
    for item in await queries.flags_of(session, ids):
        flags[item.listing_id].append(item)
    return [Found(listing_id, flags[listing_id]) for listing_id in ids]
