"""What is kept of people here: what they sell. Of an item that others talked or dealt about, a stub stays."""

from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from memi.listings import personal_queries, queries
from memi.listings.lifecycle import Actor, Status, allowed_moves
from memi.listings.models import Listing
from memi.listings.moves import move
from memi.listings.purging import keep_cover, remove_whole
from memi.listings.rendering import render
from memi.platform.personal_data import Batch, Kind, PersonalData

_PAGE = 200


async def _listings(session: AsyncSession, user_id: UUID, after: UUID | None) -> Batch:
    ids = await personal_queries.ids_of(session, user_id, after, _PAGE)
    found = await render(session, ids, for_owner=True)
    records: list[dict[str, Any]] = []
    for listing_id in ids:
        if listing_id not in found:
            continue  # purged just now
        record = msgspec.structs.asdict(found[listing_id])
        del record["seller"]
        records.append(record)
    return Batch(records, ids[-1] if len(ids) == _PAGE else None)


async def _erase(session: AsyncSession, user_id: UUID) -> None:
    after: UUID | None = None
    while ids := await personal_queries.ids_of(session, user_id, after, _PAGE):
        for listing_id in ids:
            listing = await queries.lock(session, listing_id)
            if listing is not None:  # purged just now otherwise
                await _forget(session, listing)
        after = ids[-1]


async def _forget(session: AsyncSession, listing: Listing) -> None:
    # What moderators took down stays to be looked at; the database knows of what somebody else still refers to.
    if listing.status != Status.REMOVED and await remove_whole(session, listing):
        return
    if "delete" in allowed_moves(listing.status, Actor.OWNER):
        await move(session, listing, "delete", Actor.OWNER)
    await personal_queries.reduce(session, listing.id)
    await keep_cover(session, listing)


PERSONAL_DATA = PersonalData(
    feature="listings",
    kinds=(Kind("listings", "Everything you put up for sale, in whatever state it is.", _listings),),
    erase=_erase,
    erased=frozenset({"listing_holds.holder_id"}),
    kept={"listings.seller_id": "title, cover and price of what others talked or dealt about, or moderators took down"},
)
