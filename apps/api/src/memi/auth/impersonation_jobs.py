"""Writes down the end of impersonations that time or somebody's sign-out ended, and forgets old ones."""

from datetime import timedelta

from memi.auth import impersonation, impersonation_queries
from memi.platform.jobs import recurring
from memi.platform.runtime import Runtime
from memi.platform.sweeping import expire_due

_DAYS = 90


@recurring(timedelta(seconds=30))
async def end_impersonations(runtime: Runtime) -> None:
    """They stopped working when they were over; this is when the audit log says so."""
    await expire_due(runtime, "impersonations", impersonation_queries.over, impersonation.end_over)


@recurring(timedelta(hours=6))
async def forget_impersonations(runtime: Runtime) -> None:
    async with runtime.unit_of_work() as session:
        await impersonation_queries.prune(session, _DAYS)
