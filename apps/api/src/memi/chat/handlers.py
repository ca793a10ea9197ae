"""Reactions of chats to what happens to listings and between people, and to what is written in them."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from memi.chat import discretion, flag_queries, moderation_queries, queries
from memi.chat.events import MessageSuspected
from memi.chat.listing_watch import TOPIC
from memi.chat.suspicion import suspicions
from memi.listings.events import ListingChanged
from memi.platform.events import durable, in_transaction, in_transaction_batch
from memi.platform.unit_of_work import poke_after_commit
from memi.users.events import PeopleBlocked, PrivacyChanged


@in_transaction(ListingChanged)
async def poke_watchers(event: ListingChanged, session: AsyncSession) -> None:
    """Have every process tell those who are looking at it."""
    poke_after_commit(session, TOPIC, str(event.listing_id))


@in_transaction_batch(PeopleBlocked)
async def part(events: Sequence[PeopleBlocked], session: AsyncSession) -> None:
    """Let nothing between them be committed after the block. As a batch it follows those who lock listings."""
    for event in events:
        await queries.hold_between(session, event.blocker_id, event.blocked_id)
        poke_after_commit(session, discretion.TOPIC, str(event.blocker_id))


@in_transaction(PrivacyChanged)
async def hide(event: PrivacyChanged, session: AsyncSession) -> None:
    """Who does not show when they were last here is not shown to be here now."""
    poke_after_commit(session, discretion.TOPIC, str(event.user_id))


@durable(MessageSuspected)
async def flag_suspected(event: MessageSuspected, session: AsyncSession) -> None:
    """Have moderators look; the message has been delivered, and stays as it is."""
    message = await moderation_queries.message(session, event.message_id)
    for kind in suspicions(message.body) if message is not None else ():
        await flag_queries.add(session, event.message_id, kind, "RULE", None)
