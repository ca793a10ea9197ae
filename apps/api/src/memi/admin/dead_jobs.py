"""What administrators do about jobs that failed as often as they may."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.audit import service as audit
from memi.platform import job_queue
from memi.platform.errors import NotFound
from memi.platform.job_queue import DeadJob
from memi.platform.principal import Principal
from memi.platform.pubsub import JOBS_TOPIC
from memi.platform.unit_of_work import poke_after_commit

MOST = 500


async def retry(session: AsyncSession, caller: Principal, job_id: UUID) -> DeadJob:
    """Queue a dead job again, its attempts counted afresh; raises `NotFound`."""
    job = await _take(session, caller, "job.retry", job_id)
    await _queue(session, [job])
    return job


async def discard(session: AsyncSession, caller: Principal, job_id: UUID) -> DeadJob:
    """Forget a dead job; raises `NotFound`."""
    return await _take(session, caller, "job.discard", job_id)


async def retry_many(session: AsyncSession, caller: Principal, name: str, reason: str) -> tuple[int, bool]:
    """Queue those of one name again, the longest dead first; how many, and whether there are more."""
    jobs, more = await _take_many(session, caller, "job.retry_many", name, reason)
    await _queue(session, jobs)
    return len(jobs), more


async def discard_many(session: AsyncSession, caller: Principal, name: str, reason: str) -> tuple[int, bool]:
    """Forget those of one name, the longest dead first; how many, and whether there are more."""
    jobs, more = await _take_many(session, caller, "job.discard_many", name, reason)
    return len(jobs), more


async def _queue(session: AsyncSession, jobs: list[DeadJob]) -> None:
    number = len(jobs)
    if number:
        names, payloads = [job.name for job in jobs], [job.payload for job in jobs]
        await job_queue.insert_jobs(session, names, payloads, [0.0] * number, [None] * number)
        poke_after_commit(session, JOBS_TOPIC, "")


async def _take(session: AsyncSession, caller: Principal, action: str, job_id: UUID) -> DeadJob:
    job = await job_queue.take_dead_job(session, job_id)
    if job is None:
        raise NotFound
    facts: dict[str, Any] = {"name": job.name, "attempts": job.attempts, "died_at": job.died_at}
    await audit.record(session, caller, action, "JOB", job_id, before=facts)
    return job


async def _take_many(
    session: AsyncSession, caller: Principal, action: str, name: str, reason: str
) -> tuple[list[DeadJob], bool]:
    jobs = await job_queue.take_dead_jobs(session, name, MOST)
    if jobs:
        facts = {"jobs": len(jobs), "ids": [job.id for job in jobs]}
        await audit.record(session, caller, action, "JOB", name, reason=reason, before=facts)
    more = len(jobs) == MOST and await job_queue.has_dead_jobs(session, name)
    return jobs, more
