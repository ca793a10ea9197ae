"""How long buyers typically wait for a seller's first answer; forgetting what was noted on flags."""

from datetime import timedelta

from memi.chat import flag_queries, queries
from memi.platform.jobs import recurring
from memi.platform.runtime import Runtime
from memi.platform.sweeping import forget_older
from memi.users import service as users

LATEST = 20
"""Chats that are looked at, so that the number follows what the seller does now."""
AT_LEAST = 3
"""Fewer answers are not typical of anything."""
_LOOK_BACK = timedelta(hours=1)
_BATCH = 1000


@recurring(timedelta(minutes=15))
async def learn_reply_times(runtime: Runtime) -> None:
    """For sellers who answered somebody lately. Runs overlap, because the same again does no harm."""
    async with runtime.unit_of_work() as session:
        await users.note_reply_minutes(session, await queries.reply_minutes(session, _LOOK_BACK, LATEST, AT_LEAST))


@recurring(timedelta(hours=1))
async def forget_notes(runtime: Runtime) -> None:
    """Of flags that were resolved longer than MEMI_INTELLIGENCE_DAYS ago: a note may repeat what people wrote."""
    age = timedelta(days=runtime.settings.intelligence_days)
    await forget_older(runtime, age, flag_queries.forget_notes, _BATCH)
