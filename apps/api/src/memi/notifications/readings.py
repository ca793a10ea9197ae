"""Mails that should have left, as metrics."""

from memi.notifications import mail_queries
from memi.platform import metrics
from memi.platform.runtime import Runtime

_COUNTED_TO = 10_000


async def read_overdue(runtime: Runtime) -> None:
    (row,) = await runtime.database.hot.fetch(mail_queries.OVERDUE, _COUNTED_TO)
    metrics.MAILS_DUE.set(row["waiting"])
    metrics.MAILS_OLDEST_DUE.set(row["oldest"])
