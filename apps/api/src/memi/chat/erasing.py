"""Erasing what people said whose account is erased. See docs/decisions/0053.

The database does it, by one function that takes an entry of the audit log for its order; here it is told how often.
"""

import time
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from memi.chat import erasing_queries as queries
from memi.media import erasing as media
from memi.platform.ids import new_id
from memi.platform.jobs import Postponed, enqueue, job
from memi.platform.runtime import Runtime

ASKED = "user.erase_words"
"""The action of the audit entry by which it is asked for."""
BATCH = 1000
SLICE_SECONDS = 3.0
_SOON = timedelta(seconds=0.1)
_LATER = timedelta(hours=1)


class Erasing(msgspec.Struct, frozen=True):
    """`request_id` is the audit entry."""

    request_id: UUID


class Erased(NamedTuple):
    """A batch. `more` can go at once; what is `held_back` when moderators are done with it."""

    messages: int
    more: bool
    held_back: bool


class WordsLeft(NamedTuple):
    words: bool
    held_back: bool


async def erase_some(session: AsyncSession, request_id: UUID, most: int = BATCH) -> Erased:
    """Erase the words of at most `most` messages, with pictures that nothing else shows, and write so into the log."""
    done = await queries.erase(session, request_id, new_id(), most)
    uses = zip(done.pictures_of, done.pictures, strict=True)
    await media.give_up(session, [(f"message:{message_id}", upload_id) for message_id, upload_id in uses])
    return Erased(done.messages, done.more, done.held_back)


async def left(session: AsyncSession, user_id: UUID) -> WordsLeft:
    """What of a person's words there still is."""
    return WordsLeft(*await queries.left(session, user_id))


async def start(session: AsyncSession, request_id: UUID, user_id: UUID) -> None:
    """Have a worker do what the audit entry asks for; one that waits or is at it already is enough for a person."""
    await enqueue(session, erase_words, Erasing(request_id), key=str(user_id))


@job(Erasing)
async def erase_words(payload: Erasing, runtime: Runtime) -> None:
    """Batch after batch, giving others a turn now and then. Killed, it goes on with what still has words.

    What moderators may still have to read is tried again each hour for as long as that lasts.
    """
    end = time.monotonic() + SLICE_SECONDS
    while True:
        async with runtime.unit_of_work() as session:
            done = await erase_some(session, payload.request_id)
        if not done.more:
            break
        if time.monotonic() >= end:
            raise Postponed(_SOON, "more messages are to be erased")
    if done.held_back:
        raise Postponed(_LATER, "moderators may still have to read some of it")
