"""Background work: counting, and forgetting who was here when nobody counts that any more."""

from datetime import timedelta

from memi.analytics import counting, period_queries
from memi.platform.jobs import recurring
from memi.platform.runtime import Runtime


@recurring(timedelta(minutes=5))
async def refresh_analytics(runtime: Runtime) -> None:
    """Count today once more, and whatever else is out of date."""
    await counting.refresh(runtime)


@recurring(timedelta(hours=12))
async def prune_user_days(runtime: Runtime) -> None:
    """On which days somebody was here is kept as long as usage events are."""
    before = await counting.first_kept(runtime)
    async with runtime.unit_of_work() as session:
        await period_queries.prune_user_days(session, before)
