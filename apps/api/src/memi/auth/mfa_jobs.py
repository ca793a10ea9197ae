"""Housekeeping of half-done sign-ins."""

from datetime import timedelta

from memi.auth import mfa_queries
from memi.platform.jobs import recurring
from memi.platform.runtime import Runtime


@recurring(timedelta(hours=1))
async def prune_mfa_challenges(runtime: Runtime) -> None:
    """Forget sign-ins that nobody finished in time."""
    async with runtime.unit_of_work() as session:
        await mfa_queries.prune_challenges(session)
