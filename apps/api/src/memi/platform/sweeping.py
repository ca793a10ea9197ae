"""Ending what is over, one unit of work each, so that one that is busy or fails delays nobody else's end; forgetting
what is old in short transactions."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.runtime import Runtime
from memi.platform.unit_of_work import is_conflict

log = structlog.get_logger(__name__)
_BATCH = 200

Position = tuple[datetime, UUID]
Due = Callable[[AsyncSession, Position | None, int], Awaitable[Sequence[Position]]]
Expire = Callable[[AsyncSession, UUID], Awaitable[object]]
Forget = Callable[[AsyncSession, timedelta, int], Awaitable[int]]
"""How many of at most so many it forgot that are older."""


class SweepIncomplete(Exception):
    """Some could not be ended; the log says why. They are tried again."""


async def expire_due(runtime: Runtime, what: str, due: Due, expire: Expire) -> None:
    """End everything that `due` names, oldest first; what others hold just now is left for the next time.

    Raises `SweepIncomplete` after all the others when some failed.
    """
    after: Position | None = None
    failed = 0
    while True:
        async with runtime.unit_of_work() as session:
            found = await due(session, after, _BATCH)
        for _, item_id in found:
            try:
                async with runtime.unit_of_work() as session:
                    await expire(session, item_id)
            except Exception as error:
                if is_conflict(error):
                    log.info("expiry_postponed", what=what, id=str(item_id))
                else:
                    # Told in the log here and by the job's failure below.
                    log.exception("expiry_failed", what=what, id=str(item_id))
                    failed += 1
        if len(found) < _BATCH:
            break
        after = found[-1]
    if failed:
        raise SweepIncomplete(f"{failed} of {what}")


async def forget_older(runtime: Runtime, age: timedelta, forget: Forget, batch: int) -> None:
    """Have all forgotten that is older than `age`, at most `batch` in a transaction."""
    gone = batch
    while gone == batch:
        async with runtime.unit_of_work() as session:
            gone = await forget(session, age, batch)
