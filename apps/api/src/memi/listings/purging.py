"""Purging what sellers deleted long ago: gone, or a stub of what others talked, dealt or decided about."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from memi.listings import purging_queries, queries
from memi.listings.models import Listing
from memi.listings.purging_queries import Clause
from memi.listings.rendering import READY
from memi.listings.service import claimant
from memi.media import service as media
from memi.media.erasing import keep_renditions_only
from memi.platform.settings import Settings
from memi.platform.sweeping import Position
from memi.platform.unit_of_work import adapters_of

log = structlog.get_logger(__name__)


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


async def due(session: AsyncSession, after: Position | None, limit: int) -> Sequence[Position]:
    """(time of its deletion, id) of at most `limit` listings that are to be purged, following `after`."""
    return await purging_queries.due(session, _age(session), _keepers(session).whole, after, limit)


async def purge(session: AsyncSession, listing_id: UUID) -> None:
    """Purge a listing that was due, if it still is and nobody else is at work on it."""
    if not await purging_queries.lock(session, listing_id):
        return
    # Asked only once it is locked: whoever flagged or reported it, or had it back, until now is seen.
    keepers = _keepers(session)
    found = await purging_queries.still_due(session, listing_id, _age(session), keepers.whole, keepers.stub)
    if found is None:
        return
    listing, must_stay = found
    # One picture may be in several listings: all at once, so that two workers cannot cross.
    await media.lock(session, [image.upload_id for image in await queries.images(session, [listing_id])])
    stub = must_stay or not await remove_whole(session, listing)
    if stub:
        await _reduce(session, listing)
    log.info("listing_purged", listing_id=str(listing_id), stub=stub)


async def _reduce(session: AsyncSession, listing: Listing) -> None:
    """Leave a stub of a locked listing."""
    cover = await keep_cover(session, listing)
    if cover is not None:
        # The file as it came says where and when it was taken.
        await keep_renditions_only(session, [cover])
    await purging_queries.close_flags(session, listing.id)
    await purging_queries.strip(session, listing.id)


def _age(session: AsyncSession) -> timedelta:
    return timedelta(days=adapters_of(session).get(Settings).listing_purge_days)


def _keepers(session: AsyncSession) -> Keepers:
    return adapters_of(session).get(Keepers)


async def remove_whole(session: AsyncSession, listing: Listing) -> bool:
    """Remove a locked listing with all that is its own and let go of its pictures.

    False, and nothing changed, when somebody else's chat or deal is about it.
    """
    pictures = [image.upload_id for image in await queries.images(session, [listing.id])]
    if not await purging_queries.remove(session, listing):
        return False
    await media.detach(session, claimant(listing.id), pictures)
    return True


async def keep_cover(session: AsyncSession, listing: Listing) -> UUID | None:
    """Let go of the pictures of a locked listing but for the one that stubs show, which is returned."""
    pictures = [image.upload_id for image in await queries.images(session, [listing.id])]
    shown = await media.images(session, pictures)
    cover = next((upload_id for upload_id in pictures if shown[upload_id].status == READY), None)
    await queries.replace_images(session, listing.id, [] if cover is None else [(cover, None)])
    await media.detach(session, claimant(listing.id), [upload_id for upload_id in pictures if upload_id != cover])
    return cover
