"""Housekeeping of what the platform itself records."""

from datetime import timedelta

from memi.platform import idempotency_queries, job_queue
from memi.platform.idempotency import KEPT_HOURS
from memi.platform.jobs import recurring
from memi.platform.runtime import Runtime

_RECEIPT_DAYS = 14
"""Far longer than a job can wait: its attempts are capped and their delays bounded."""
_LOG_DAYS = 2


@recurring(timedelta(hours=6))
async def prune_job_records(runtime: Runtime) -> None:
    """Keep the tables that every job writes to from growing for ever."""
    async with runtime.unit_of_work() as session:
        await job_queue.prune(session, receipt_days=_RECEIPT_DAYS, log_days=_LOG_DAYS)


@recurring(timedelta(hours=1))
async def prune_idempotency_keys(runtime: Runtime) -> None:
    """Forget replies that nobody will ask for again."""
    async with runtime.unit_of_work() as session:
        await idempotency_queries.prune(session, KEPT_HOURS)
