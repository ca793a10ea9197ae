"""Housekeeping of trips to other providers."""

from datetime import timedelta

from memi.auth import oauth_queries
from memi.platform.jobs import recurring
from memi.platform.runtime import Runtime

_KEPT = timedelta(days=1)


@recurring(timedelta(hours=1))
async def prune_oauth_trips(runtime: Runtime) -> None:
    """Forget trips that are long over."""
    async with runtime.unit_of_work() as session:
        await oauth_queries.prune(session, _KEPT)
