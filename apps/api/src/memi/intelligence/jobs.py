"""Forgetting what plug-ins said long ago."""

from datetime import timedelta

from memi.intelligence import queries
from memi.platform.jobs import recurring
from memi.platform.runtime import Runtime
from memi.platform.sweeping import forget_older

_BATCH = 5000


@recurring(timedelta(hours=1))
async def prune_verdicts(runtime: Runtime) -> None:
    """Those older than MEMI_INTELLIGENCE_DAYS, in short transactions."""
    age = timedelta(days=runtime.settings.intelligence_days)
    await forget_older(runtime, age, queries.prune, _BATCH)
