"""How long the audit log is, as a metric: a number that ever falls is an alarm."""

from memi.audit import chain_queries
from memi.platform import metrics
from memi.platform.runtime import Runtime


async def read_length(runtime: Runtime) -> None:
    for row in await runtime.database.hot.fetch(chain_queries.LENGTH):
        metrics.AUDIT_ENTRIES.set(row["seq"])
