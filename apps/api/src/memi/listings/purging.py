"""Purging what sellers deleted long ago: gone, or a stub of what others talked, dealt or decided about."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from memi.listings import purging_queries, queries
from memi.listings.models import Listing
from memi.listings.purging_queries import Clause
from memi.listings.rendering import READY
from memi.listings.service import claimant
from memi.media import service as media
from memi.platform.unit_of_work import adapters_of


@dataclass(frozen=True)
class Keeper:
    """What a feature above needs of listings beyond what its foreign keys say. Clauses that it lends."""

    whole: Clause
    """It is still looked at as it was: not to be purged for now."""
    stub: Clause
    """It is referred to: a stub must stay."""


class Keepers:
    """Every `Keeper` of the process."""

    def __init__(self, keepers: Sequence[Keeper]) -> None:
        self.whole = [keeper.whole for keeper in keepers]
        self.stub = [keeper.stub for keeper in keepers]


async def purge_some(session: AsyncSession, age: timedelta, limit: int) -> tuple[int, int]:
    """Purge at most `limit` listings that were deleted longer ago; how many are gone, and of how many a stub stays."""
    keepers = adapters_of(session).get(Keepers)
    due = await purging_queries.lock_due(session, age, keepers.whole, keepers.stub, limit)
    pictures = await queries.images(session, [listing.id for listing, _ in due])
    # One picture may be in several listings: taken one listing after the other, two workers could cross.
    await media.lock(session, [image.upload_id for image in pictures])
    gone = 0
    for listing, must_stay in due:
        gone += await _purge(session, listing, must_stay=must_stay)
    return gone, len(due) - gone


async def _purge(session: AsyncSession, listing: Listing, *, must_stay: bool) -> bool:
    """Whether it is gone. The listing must be locked."""
    if not must_stay and await remove_whole(session, listing):
        return True
    await keep_cover(session, listing)
    await purging_queries.close_flags(session, listing.id)
    await purging_queries.strip(session, listing.id)
    return False


async def remove_whole(session: AsyncSession, listing: Listing) -> bool:
    """Remove a locked listing with all that is its own and let go of its pictures.

    False, and nothing changed, when somebody else's chat or deal is about it.
    """
    pictures = [image.upload_id for image in await queries.images(session, [listing.id])]
    if not await purging_queries.remove(session, listing):
        return False
    await media.detach(session, claimant(listing.id), pictures)
    return True


async def keep_cover(session: AsyncSession, listing: Listing) -> None:
    """Let go of the pictures of a locked listing but for the one that stubs show."""
    pictures = [image.upload_id for image in await queries.images(session, [listing.id])]
    shown = await media.images(session, pictures)
    cover = next((upload_id for upload_id in pictures if shown[upload_id].status == READY), None)
    await queries.replace_images(session, listing.id, [] if cover is None else [(cover, None)])
    await media.detach(session, claimant(listing.id), [upload_id for upload_id in pictures if upload_id != cover])
