"""Orders that nobody paid or completed end when their time is over."""

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError

from memi.orders import queries, service
from memi.platform.jobs import recurring
from memi.platform.runtime import Runtime
from memi.platform.unit_of_work import is_conflict

log = structlog.get_logger(__name__)
_BATCH = 200


@recurring(timedelta(seconds=30))
async def expire_orders(runtime: Runtime) -> None:
    """One unit of work each, so that a busy listing delays nobody else's end."""
    after: tuple[datetime, UUID] | None = None
    while True:
        async with runtime.unit_of_work() as session:
            due = await queries.due(session, after, _BATCH)
        for _, order_id in due:
            await _expire(runtime, order_id)
        if len(due) < _BATCH:
            return
        after = due[-1]


async def _expire(runtime: Runtime, order_id: UUID) -> None:
    try:
        async with runtime.unit_of_work() as session:
            await service.expire(session, order_id)
    except DBAPIError as error:
        if not is_conflict(error):
            raise
        log.info("order_expiry_postponed", order_id=str(order_id))
