"""Emptying categories that go. Taken up again when a worker dies: what is left to do is what is still in them."""

import time
from datetime import timedelta
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from memi.catalog import editing
from memi.listings import recategorising
from memi.platform.jobs import Postponed, enqueue, job, recurring
from memi.platform.runtime import Runtime

BATCH = 200
SLICE_SECONDS = 3.0
_SOON = timedelta(seconds=0.1)


class Emptying(msgspec.Struct, frozen=True):
    category_id: UUID


async def move_on(session: AsyncSession, category_id: UUID) -> tuple[int, bool]:
    """Move a batch of listings out of it, and with the last delete it: how many were moved, and whether it is gone."""
    category = await editing.lock_moving(session, category_id)
    if category is None or category.moving_to is None:
        return 0, True
    moved = await recategorising.move_some(session, category.id, category.moving_to, BATCH)
    if moved == BATCH:
        return moved, False
    return moved, await editing.remove(session, category)


@job(Emptying)
async def empty_category(payload: Emptying, runtime: Runtime) -> None:
    """Go on for some seconds, then give others a turn."""
    end = time.monotonic() + SLICE_SECONDS
    gone = False
    while not gone:
        async with runtime.unit_of_work() as session:
            _, gone = await move_on(session, payload.category_id)
        if not gone and time.monotonic() >= end:
            raise Postponed(_SOON, "more listings are to be moved")


async def start(session: AsyncSession, category_id: UUID) -> None:
    """Have a worker do it; one that is waiting or at it already is enough."""
    await enqueue(session, empty_category, Emptying(category_id), key=str(category_id))


@recurring(timedelta(minutes=1))
async def resume_emptying(runtime: Runtime) -> None:
    """Take up what was left lying."""
    async with runtime.unit_of_work() as session:
        for category_id in await editing.moving(session):
            await start(session, category_id)
