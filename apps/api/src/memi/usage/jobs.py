"""Housekeeping: months made ahead and dropped when they are old, days forgotten."""

from datetime import timedelta

import structlog

from memi.platform.jobs import recurring
from memi.platform.runtime import Runtime
from memi.usage import queries

log = structlog.get_logger(__name__)
MONTHS_AHEAD = 2
_BATCH = 10_000


@recurring(timedelta(hours=6))
async def keep_months(runtime: Runtime) -> None:
    """There are partitions for this month and the next two; none for months past their days.

    One unit of work each: a partition's lock is held for moments, or given up and tried again.
    """
    for ahead in range(MONTHS_AHEAD + 1):
        async with runtime.unit_of_work() as session:
            await queries.make_partition(session, ahead)
    async with runtime.unit_of_work() as session:
        dropped = await queries.drop_partitions(session, runtime.settings.usage_days)
    if dropped:
        log.info("usage_months_dropped", months=dropped)


@recurring(timedelta(hours=1))
async def forget_days(runtime: Runtime) -> None:
    """Delete what could tell whose visits those of past days were, and who had seen which listing."""
    async with runtime.unit_of_work() as session:
        await queries.forget_days(session)
    more = True
    while more:
        async with runtime.unit_of_work() as session:
            more = await queries.forget_viewers(session, _BATCH)
