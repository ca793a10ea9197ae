"""Background work: the end of a listing's days, purging it, notes on flags, and telling of many listings at once."""

from datetime import timedelta
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from memi.listings import flag_queries, purging, queries
from memi.listings.events import ListingChanged, ListingExpiring
from memi.listings.lifecycle import Actor
from memi.listings.moves import NOTICE, move
from memi.platform.events import publish
from memi.platform.jobs import enqueue, job, recurring
from memi.platform.runtime import Runtime
from memi.platform.sweeping import expire_due, forget_older

BATCH = 200


class SellersListings(msgspec.Struct):
    """What is left to tell of: a seller's public listings following the key `after`."""

    seller_id: UUID
    after: UUID | None


@job(SellersListings)
async def announce_rest(payload: SellersListings, runtime: Runtime) -> None:
    """Tell that the next batch of a seller's listings looks different."""
    async with runtime.unit_of_work() as session:
        await announce(session, payload.seller_id, payload.after)


async def announce_later(session: AsyncSession, seller_id: UUID) -> None:
    """Tell of all that others see of a seller by a job: who is at work on many sellers does not render it all."""
    await enqueue(session, announce_rest, SellersListings(seller_id, None))


async def announce(session: AsyncSession, seller_id: UUID, after: UUID | None = None) -> None:
    """Tell of one batch of what others see of a seller, and leave what follows to a job of its own."""
    listing_ids = await queries.public_of(session, seller_id, after, BATCH)
    for listing_id in listing_ids:
        publish(session, ListingChanged(listing_id, seller_id))
    if len(listing_ids) == BATCH:
        await enqueue(session, announce_rest, SellersListings(seller_id, listing_ids[-1]))


@recurring(timedelta(minutes=1))
async def expire_listings(runtime: Runtime) -> None:
    """ACTIVE listings whose days are over become EXPIRED."""
    while True:
        async with runtime.unit_of_work() as session:
            due = await queries.lock_expired(session, BATCH)
            for listing in due:
                await move(session, listing, "expire", Actor.SYSTEM)
        if len(due) < BATCH:
            return


@recurring(timedelta(minutes=10))
async def notice_expiring(runtime: Runtime) -> None:
    """Tell once of each ACTIVE listing that expires within three days."""
    while True:
        async with runtime.unit_of_work() as session:
            due = await queries.claim_expiring(session, NOTICE, BATCH)
            for listing_id, seller_id in due:
                publish(session, ListingExpiring(listing_id, seller_id))
        if len(due) < BATCH:
            return


@recurring(timedelta(hours=1))
async def purge_deleted(runtime: Runtime) -> None:
    """What its owner deleted longer than MEMI_LISTING_PURGE_DAYS ago goes for good."""
    await expire_due(runtime, "deleted listing", purging.due, purging.purge)


@recurring(timedelta(hours=1))
async def forget_notes(runtime: Runtime) -> None:
    """Of flags that were resolved longer than MEMI_INTELLIGENCE_DAYS ago: a note may repeat what people wrote."""
    age = timedelta(days=runtime.settings.intelligence_days)
    await forget_older(runtime, age, flag_queries.forget_notes, BATCH)
