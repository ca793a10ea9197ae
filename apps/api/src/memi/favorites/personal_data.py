"""What is kept of people here: what they like."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.favorites import queries
from memi.listings import service as listings
from memi.platform.personal_data import Batch, Kind, PersonalData

_PAGE = 500


async def _favorites(session: AsyncSession, user_id: UUID, before: Any) -> Batch:
    rows = await queries.of_user(session, user_id, before, _PAGE)
    stubs = await listings.stubs(session, [listing_id for listing_id, _ in rows])
    titles = {listing_id: stub.title for listing_id, stub in stubs.items() if stub.available}
    records = [
        {"listing_id": listing_id, "title": titles.get(listing_id), "since": since} for listing_id, since in rows
    ]
    return Batch(records, (rows[-1][1], rows[-1][0]) if len(rows) == _PAGE else None)


async def _erase(session: AsyncSession, user_id: UUID) -> None:
    """The counters follow, in one order, so that no two erasures wait for each other."""
    for listing_id in sorted(await queries.drop_all(session, user_id)):
        await listings.count_favorite(session, listing_id, -1)


PERSONAL_DATA = PersonalData(
    feature="favorites",
    kinds=(Kind("favorites", "What you like; the title while it can be seen.", _favorites),),
    erase=_erase,
    erased=frozenset({"favorites.user_id"}),
)
