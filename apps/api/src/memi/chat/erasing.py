"""Erasing what people said whose account is erased. See docs/decisions/0053.

The database does it, by one function that takes an entry of the audit log for its order; here it is told how often.
"""

import time
from datetime import timedelta
from typing import Literal, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from memi.chat import erasing_queries as queries
from memi.chat.erasing_queries import Place
from memi.media import erasing as media
from memi.platform.ids import new_id
from memi.platform.jobs import Postponed, enqueue, job
from memi.platform.runtime import Runtime

HeldBackBy = Literal["REPORT", "FLAG", "ORDER"]
"""A report that is open or was decided lately, a flag that nobody has dealt with, money that is on its way."""
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
    """A batch: `held_back_by` is why it left words that it came by. There is `more` to look at behind `upto`."""

    messages: int
    more: bool
    held_back_by: frozenset[HeldBackBy]
    upto: Place


class WordsLeft(NamedTuple):
    words: bool
    held_back_by: list[HeldBackBy]


async def erase_some(session: AsyncSession, request_id: UUID, after: Place | None = None, most: int = BATCH) -> Erased:
    """Look at the `most` next messages of the person's chats, and erase their words, with pictures that nothing else
    shows; the log is told.
    """
    done = await queries.erase(session, request_id, new_id(), most, after)
    uses = zip(done.pictures_of, done.pictures, strict=True)
    await media.give_up(session, [(f"message:{message_id}", upload_id) for message_id, upload_id in uses])
    upto = Place(done.upto_at, done.upto_chat, done.upto_seq)
    return Erased(done.messages, done.more, frozenset(done.held_back_by), upto)


async def left(session: AsyncSession, user_id: UUID) -> WordsLeft:
    """What of a person's words there still is."""
    return WordsLeft(*await queries.left(session, user_id))


async def start(session: AsyncSession, request_id: UUID, asked_by: UUID, user_id: UUID) -> None:
    """Have a worker do what the audit entry asks for.

    One that waits or is at it is enough, unless somebody else asked for that one: they may lose the right to it.
    """
    await enqueue(session, erase_words, Erasing(request_id), key=f"{user_id}:{asked_by}")


@job(Erasing)
async def erase_words(payload: Erasing, runtime: Runtime) -> None:
    """Batch after batch, giving others a turn now and then. Each run begins anew: what is done is passed quickly.

    What is held back is tried again each hour for as long as that lasts. It fails, and ends among the failed jobs, when
    who asked is no administrator any more.
    """
    held_back_by: set[HeldBackBy] = set()
    upto: Place | None = None
    end: float | None = None
    while True:
        async with runtime.unit_of_work() as session:
            done = await erase_some(session, payload.request_id, upto, BATCH)
        held_back_by |= done.held_back_by
        if not done.more:
            break
        upto = done.upto
        # The way to where the last run ended is not counted: however long it is, each run gets further.
        if end is None and done.messages:
            end = time.monotonic() + SLICE_SECONDS
        if end is not None and time.monotonic() >= end:
            raise Postponed(_SOON, "more messages are to be erased")
    if held_back_by:
        raise Postponed(_LATER, f"held back by {', '.join(sorted(held_back_by))}")
