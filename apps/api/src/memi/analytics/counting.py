"""Keeping the counted tables up to date: whatever is older than what it is counted from is counted anew.

Each day, cohort, week and month is one unit of work that replaces what was counted before, so that a crash leaves
either the old numbers or the new ones, and whoever comes next sees what is left to do.
"""

from collections.abc import Callable, Sequence
from datetime import date, timedelta

from memi.analytics import day_queries, period_queries
from memi.platform.runtime import Runtime

PATIENCE = timedelta(hours=1)
"""How old what comes of several days may be while one of them goes on changing."""
Report = Callable[[int, int], None]
"""Is told (done, of how many)."""


async def refresh(runtime: Runtime, *, patience: timedelta = PATIENCE) -> None:
    """Count what is out of date."""
    async with runtime.unit_of_work() as session:
        days = await period_queries.stale_days(session)
    await _count_days(runtime, days)
    await _count_derived(runtime, patience)


async def rebuild(runtime: Runtime, first: date, last: date, report: Report) -> None:
    """Count the days from `first` to `last` anew, and all that depends on them; what is stopped, a worker finishes."""
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    async with runtime.unit_of_work() as session:
        await period_queries.mark(session, days)
    await _count_days(runtime, days, report)
    await _count_derived(runtime, timedelta(0))


async def _count_days(runtime: Runtime, days: Sequence[date], report: Report | None = None) -> None:
    kept_from = await first_kept(runtime)
    for done, day in enumerate(days, 1):
        async with runtime.unit_of_work() as session:
            await day_queries.count_day(session, day, whole=day >= kept_from)
        if report is not None:
            report(done, len(days))


async def _count_derived(runtime: Runtime, patience: timedelta) -> None:
    kept_from = await first_kept(runtime)
    async with runtime.unit_of_work() as session:
        cohorts = await period_queries.stale_cohorts(session, patience)
        periods = await period_queries.stale_periods(session, patience, kept_from)
    for day in cohorts:
        async with runtime.unit_of_work() as session:
            await day_queries.count_cohort(session, day)
    for period in periods:
        async with runtime.unit_of_work() as session:
            await period_queries.count_period(session, period)


async def first_kept(runtime: Runtime) -> date:
    """From this day on all that was recorded is still there."""
    async with runtime.unit_of_work() as session:
        return await period_queries.today(session) - timedelta(days=runtime.settings.usage_days - 1)
