"""Forgetting what people were told long ago."""

from datetime import timedelta

from memi.notifications import mail_queries, queries
from memi.platform.jobs import recurring
from memi.platform.runtime import Runtime
from memi.platform.sweeping import forget_older

BATCH = 2000


@recurring(timedelta(hours=6))
async def prune_notifications(runtime: Runtime) -> None:
    """What is read after MEMI_NOTIFICATION_DAYS, the rest after twice as long, in short transactions.

    Records of mails go after the days themselves, before their notifications take them along.
    """
    age = timedelta(days=runtime.settings.notification_days)
    for prune in (mail_queries.prune, queries.prune):
        await forget_older(runtime, age, prune, BATCH)
