"""Ending what is over, one unit of work each, so that a busy row delays nobody else's end."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.runtime import Runtime
from memi.platform.unit_of_work import is_conflict

log = structlog.get_logger(__name__)
_BATCH = 200

Position = tuple[datetime, UUID]
Due = Callable[[AsyncSession, Position | None, int], Awaitable[Sequence[Position]]]
Expire = Callable[[AsyncSession, UUID], Awaitable[object]]


async def expire_due(runtime: Runtime, what: str, due: Due, expire: Expire) -> None:
    """End everything that `due` names, oldest first; what others hold just now is left for the next time."""
    after: Position | None = None
    while True:
        async with runtime.unit_of_work() as session:
            found = await due(session, after, _BATCH)
        for _, item_id in found:
            try:
                async with runtime.unit_of_work() as session:
                    await expire(session, item_id)
            except DBAPIError as error:
                if not is_conflict(error):
                    raise
                log.info("expiry_postponed", what=what, id=str(item_id))
        if len(found) < _BATCH:
            return
        after = found[-1]
