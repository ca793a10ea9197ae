"""Reactions: the read model follows every change of a listing within the same transaction."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from memi.catalog.events import CategoryChanged
from memi.catalog.service import UNTIL_ALL_KNOW
from memi.listings.events import ListingChanged
from memi.platform.events import durable, in_transaction, in_transaction_batch
from memi.search import projection, replay_jobs, replaying
from memi.users import service as users
from memi.users.events import UserBlocked, UserDeleted, UserRestored, UserUnblocked


@in_transaction_batch(ListingChanged)
async def project_cards(events: Sequence[ListingChanged], session: AsyncSession) -> None:
    await projection.project(session, [event.listing_id for event in events])


@durable(CategoryChanged)
async def follow_category(event: CategoryChanged, session: AsyncSession) -> None:
    """Cards carry their category's names and are found by its place.

    Twice: a process that has not heard of the change yet may write an old card meanwhile, for as long as it may.
    """
    for delay in (timedelta(0), UNTIL_ALL_KNOW):
        replay_id = await replaying.begin(session, "category", category_id=event.category_id)
        await replay_jobs.start(session, replay_id, delay=delay)


@in_transaction(UserBlocked)
async def hide_seller(event: UserBlocked, session: AsyncSession) -> None:
    await projection.set_standing(session, event.user_id, stands=False)


@in_transaction(UserUnblocked)
async def show_seller(event: UserUnblocked, session: AsyncSession) -> None:
    await projection.set_standing(session, event.user_id, stands=True)


@in_transaction(UserDeleted)
async def hide_deleted(event: UserDeleted, session: AsyncSession) -> None:
    await projection.set_standing(session, event.user_id, stands=False)


@in_transaction(UserRestored)
async def show_restored(event: UserRestored, session: AsyncSession) -> None:
    """Unless the seller was blocked meanwhile."""
    seller = await users.get(session, event.user_id)
    await projection.set_standing(session, event.user_id, stands=not seller.is_blocked)
