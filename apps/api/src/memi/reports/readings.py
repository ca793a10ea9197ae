"""What waits for moderators, as metrics."""

from memi.platform import metrics
from memi.platform.runtime import Runtime
from memi.reports import queries


async def read_waiting(runtime: Runtime) -> None:
    for row in await runtime.database.hot.fetch(queries.WAITING, queries.COUNTED_TO):
        metrics.MODERATION_WAITING.labels(row["kind"]).set(row["waiting"])
        metrics.MODERATION_OLDEST.labels(row["kind"]).set(row["oldest"])
