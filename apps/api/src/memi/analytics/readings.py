"""How old the counted numbers are, as a metric."""

from memi.analytics import queries
from memi.platform import metrics
from memi.platform.runtime import Runtime


async def read_age(runtime: Runtime) -> None:
    (row,) = await runtime.database.hot.fetch(queries.AGE)
    if row["age"] is not None:
        metrics.ANALYTICS_AGE.set(row["age"])
