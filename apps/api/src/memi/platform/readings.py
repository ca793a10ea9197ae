"""Numbers of /metrics that nobody counts as they happen: each feature reads its own when they are asked for."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import asyncpg
import structlog

from memi.platform import metrics
from memi.platform.errors import AppError
from memi.platform.job_queue import queue_depths
from memi.platform.runtime import Runtime

log = structlog.get_logger(__name__)
Reading = Callable[[Runtime], Awaitable[None]]
"""Sets gauges from one bounded statement."""
_SECONDS = 2.0


class Readings:
    """What is read; wiring says which."""

    def __init__(self, readings: Sequence[Reading]) -> None:
        self._readings = readings

    async def read(self, runtime: Runtime) -> None:
        """Read all. What cannot be read keeps its last number, and the others are still worth having."""
        for reading in self._readings:
            try:
                async with asyncio.timeout(_SECONDS):
                    await reading(runtime)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, AppError) as error:
                log.warning("metrics_not_read", reading=reading.__module__, error=type(error).__name__)
                return  # the database is away: the others would wait for it as long


async def read_pools(runtime: Runtime) -> None:
    for name, pool in (("hot", runtime.database.hot), ("hot_by_value", runtime.database.hot_by_value)):
        used, limit = pool.usage()
        metrics.POOL_USED.labels(name).set(used)
        metrics.POOL_LIMIT.labels(name).set(limit)
    metrics.POOL_USED.labels("sessions").set(runtime.database.engine.pool.checkedout())  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType]
    metrics.POOL_LIMIT.labels("sessions").set(runtime.settings.database_pool)


async def read_queue(runtime: Runtime) -> None:
    async with runtime.unit_of_work() as session:
        depths = await queue_depths(session)
    durable = {item.name for item in runtime.bus.subscriptions if item.kind == "durable"}
    metrics.QUEUE_DEPTH.clear()
    for name, (count, _) in depths.items():
        metrics.QUEUE_DEPTH.labels(name).set(count)
    metrics.OUTBOX_LAG.set(max((age for name, (_, age) in depths.items() if name in durable), default=0.0))
