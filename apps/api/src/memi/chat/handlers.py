"""Reactions of chats to what happens to listings."""

from sqlalchemy.ext.asyncio import AsyncSession

from memi.chat.listing_watch import TOPIC
from memi.listings.events import ListingChanged
from memi.platform.events import in_transaction
from memi.platform.unit_of_work import poke_after_commit


@in_transaction(ListingChanged)
async def poke_watchers(event: ListingChanged, session: AsyncSession) -> None:
    """Have every process tell those who are looking at it."""
    poke_after_commit(session, TOPIC, str(event.listing_id))
