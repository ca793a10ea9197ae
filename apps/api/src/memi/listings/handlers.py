"""Reactions: a seller is blocked, deleted or renamed, a picture is finished."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.listings import queries
from memi.listings.events import ListingChanged
from memi.listings.jobs import announce, announce_later
from memi.listings.lifecycle import Actor
from memi.listings.moves import move
from memi.media.events import UploadReady, UploadRejected
from memi.platform.events import durable, in_transaction, publish
from memi.users.events import UserBlocked, UserChanged, UserDeleted, UserRestored, UserUnblocked


@in_transaction(UserBlocked)
async def release_and_hide(event: UserBlocked, session: AsyncSession) -> None:
    """A blocked seller keeps nothing reserved. Their cards are hidden by search; who looks on is told by a job."""
    await _release(session, event.user_id)
    await announce_later(session, event.user_id)


@in_transaction(UserDeleted)
async def release_and_hide_deleted(event: UserDeleted, session: AsyncSession) -> None:
    await _release(session, event.user_id)
    await announce(session, event.user_id)


async def _release(session: AsyncSession, seller_id: UUID) -> None:
    for listing in await queries.lock_reserved_of(session, seller_id):
        await move(session, listing, "unreserve", Actor.SYSTEM)


@in_transaction(UserUnblocked)
async def show_again(event: UserUnblocked, session: AsyncSession) -> None:
    await announce_later(session, event.user_id)


@in_transaction(UserRestored)
async def show_restored(event: UserRestored, session: AsyncSession) -> None:
    await announce(session, event.user_id)


@durable(UserChanged)
async def tell_of_listings(event: UserChanged, session: AsyncSession) -> None:
    """Cards and pages carry their seller's name and picture."""
    await announce(session, event.user_id)


@durable(UploadReady)
async def show_picture(event: UploadReady, session: AsyncSession) -> None:
    """Listings that others can read look different from now on."""
    for listing_id, seller_id in await queries.showing(session, event.upload_id):
        publish(session, ListingChanged(listing_id, seller_id))


@durable(UploadRejected)
async def tell_of_rejected_picture(event: UploadRejected, session: AsyncSession) -> None:
    for listing_id, seller_id in await queries.showing(session, event.upload_id):
        publish(session, ListingChanged(listing_id, seller_id))
