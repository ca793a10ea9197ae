"""Working through what is to be rebuilt: in slices, so that a worker can stop, and taken up again when one dies."""

import time
from datetime import timedelta
from uuid import UUID

import msgspec
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.jobs import Postponed, enqueue, job, recurring
from memi.platform.runtime import Runtime
from memi.platform.unit_of_work import is_conflict
from memi.search import replay_queries as queries
from memi.search import replaying

SLICE_SECONDS = 3.0
_SOON = timedelta(seconds=0.1)
_STALLED = timedelta(minutes=2)
_KEPT = timedelta(days=30)
_MOST = 100


class Slice(msgspec.Struct, frozen=True):
    replay_id: UUID


@job(Slice)
async def continue_replay(payload: Slice, runtime: Runtime) -> None:
    """Rebuild for some seconds, then give others a turn."""
    end = time.monotonic() + SLICE_SECONDS
    try:
        more = True
        while more:
            async with runtime.unit_of_work() as session:
                more = await replaying.step(session, payload.replay_id)
            if more and time.monotonic() >= end:
                raise Postponed(_SOON, "there is more to rebuild")
    except DBAPIError as error:
        if not is_conflict(error):
            raise
        raise Postponed(_SOON, "others are at the same listings") from error


async def start(session: AsyncSession, replay_id: UUID, *, delay: timedelta = timedelta(0)) -> None:
    """Have a worker do it; one that is waiting or at it already is enough."""
    await enqueue(session, continue_replay, Slice(replay_id), delay=delay, key=str(replay_id))


@recurring(timedelta(minutes=1))
async def resume_replays(runtime: Runtime) -> None:
    """Take up what was left lying."""
    async with runtime.unit_of_work() as session:
        for replay_id in await queries.stalled(session, _STALLED, _MOST):
            await start(session, replay_id)


@recurring(timedelta(hours=6))
async def prune_replays(runtime: Runtime) -> None:
    """Forget those that were finished long ago."""
    async with runtime.unit_of_work() as session:
        await queries.prune(session, _KEPT)
