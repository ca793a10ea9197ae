"""Reactions: the read model follows every change of a listing within the same transaction."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from memi.listings.events import ListingChanged
from memi.platform.events import in_transaction, in_transaction_batch
from memi.search import projection
from memi.users import service as users
from memi.users.events import UserBlocked, UserDeleted, UserRestored, UserUnblocked


@in_transaction_batch(ListingChanged)
async def project_cards(events: Sequence[ListingChanged], session: AsyncSession) -> None:
    await projection.project(session, [event.listing_id for event in events])


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
