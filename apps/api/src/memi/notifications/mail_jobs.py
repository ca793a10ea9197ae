"""Sending what is due: whom to is looked for every few seconds, and each person is a job of their own."""

from datetime import timedelta
from uuid import UUID

import msgspec
import structlog

from memi.notifications import mail_queries, outbox
from memi.platform import job_queue
from memi.platform.jobs import job, recurring
from memi.platform.mail import MailNotSent, MailRefused, MailTurnedAway, mailer_of
from memi.platform.pubsub import JOBS_TOPIC
from memi.platform.runtime import Runtime
from memi.platform.unit_of_work import poke_after_commit

log = structlog.get_logger(__name__)
_PEOPLE = 1000
_MAILS = 50


class Recipient(msgspec.Struct, frozen=True):
    user_id: UUID


@job(Recipient)
async def mail_person(recipient: Recipient, runtime: Runtime) -> None:
    """Send what is due to one person, each mail at most once: claimed, committed, and only then sent."""
    for _ in range(_MAILS):
        async with runtime.unit_of_work() as session:
            claimed = await outbox.claim(session, runtime.settings, runtime.key_ring, recipient.user_id)
        if claimed is None:
            return
        outcome, reason = outbox.sent, None
        try:
            await mailer_of(runtime.adapters).send(claimed.mail)
        except MailRefused as refusal:
            outcome, reason = outbox.refused, str(refusal)
        except MailTurnedAway as refusal:
            outcome, reason = outbox.turned_away, str(refusal)
        except MailNotSent as failure:
            outcome, reason = outbox.failed, str(failure)
        if reason is not None:
            log.warning("news_not_mailed", user_id=str(recipient.user_id), as_=outcome.__name__, reason=reason)
        async with runtime.unit_of_work() as session:
            await outcome(session, claimed)


@recurring(timedelta(seconds=5))
async def queue_due_mails(runtime: Runtime) -> None:
    """A job for each person for whom something is due; one that waits or runs already is not queued again."""
    async with runtime.unit_of_work() as session:
        people = await mail_queries.recipients(session, _PEOPLE)
        if not people:
            return
        await job_queue.insert_jobs(
            session,
            [mail_person.name] * len(people),
            [msgspec.json.encode(Recipient(user_id)) for user_id in people],
            [0.0] * len(people),
            [f"{mail_person.name}:{user_id}" for user_id in people],
        )
        poke_after_commit(session, JOBS_TOPIC, "")
