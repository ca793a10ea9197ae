"""The queue's rows: written inside the transaction whose effect they belong to, and the records of their runs."""

from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, Text, delete, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from memi.platform.column_types import CreatedAt
from memi.platform.database import Base
from memi.platform.events import DurableJob
from memi.platform.ids import new_id
from memi.platform.paging import Found, Place
from memi.platform.paging_queries import page_of

_INSERT = text(
    """
    INSERT INTO pgqueuer (priority, entrypoint, payload, execute_after, dedupe_key, status)
    SELECT 0, entrypoint, payload, now() + make_interval(secs => delay), dedupe_key, 'queued'
    FROM unnest(CAST(:names AS text[]), CAST(:payloads AS bytea[]), CAST(:delays AS float8[]), CAST(:keys AS text[]))
         AS t(entrypoint, payload, delay, dedupe_key)
    ON CONFLICT (dedupe_key) WHERE status IN ('queued', 'picked') AND dedupe_key IS NOT NULL DO NOTHING
    """
)


class JobAttempt(Base):
    """How often a job was begun, counted before it runs, so that one that kills its worker still ends."""

    __tablename__ = "job_attempts"
    __table_args__: ClassVar[Any] = {"prefixes": ["UNLOGGED"]}

    job_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    attempts: Mapped[int] = mapped_column(Integer)


class JobReceipt(Base):
    """A durable handler took effect for this event; written in the transaction of the effect."""

    __tablename__ = "job_receipts"
    __table_args__ = (Index(None, "done_at"),)

    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    done_at: Mapped[CreatedAt]


class DeadJob(Base):
    """A job that failed as often as it may; kept until someone retries or discards it."""

    __tablename__ = "dead_jobs"
    __table_args__ = (
        Index("ix_dead_jobs_newest", text("died_at DESC"), text("id DESC")),
        Index(None, "name"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(Text)
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    attempts: Mapped[int] = mapped_column(Integer)
    error: Mapped[str] = mapped_column(Text)
    died_at: Mapped[CreatedAt]


class JobSchedule(Base):
    """When each recurring job is due next; whoever moves the time forward enqueues the run."""

    __tablename__ = "job_schedules"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    next_run: Mapped[CreatedAt]


async def insert_jobs(
    session: AsyncSession,
    names: Sequence[str],
    payloads: Sequence[bytes],
    delays: Sequence[float],
    keys: Sequence[str | None],
) -> None:
    """Queue runs; `delays` in seconds. A key that is already waiting or running is not queued again."""
    await session.execute(
        _INSERT, {"names": list(names), "payloads": list(payloads), "delays": list(delays), "keys": list(keys)}
    )


async def enqueue_durable(session: AsyncSession, jobs: Sequence[DurableJob]) -> None:
    """Queue the runs of durable event handlers."""
    await insert_jobs(
        session, [job.name for job in jobs], [job.payload for job in jobs], [0.0] * len(jobs), [None] * len(jobs)
    )


async def begin_attempt(session: AsyncSession, job_id: int) -> int:
    """Count this attempt of `job_id` and return its number, from 1."""
    result = await session.execute(
        text(
            "INSERT INTO job_attempts (job_id, attempts) VALUES (:id, 1) "
            "ON CONFLICT (job_id) DO UPDATE SET attempts = job_attempts.attempts + 1 RETURNING attempts"
        ),
        {"id": job_id},
    )
    return result.scalar_one()


async def forget_attempts(session: AsyncSession, job_id: int) -> None:
    await session.execute(text("DELETE FROM job_attempts WHERE job_id = :id"), {"id": job_id})


async def claim_receipt(session: AsyncSession, event_id: UUID, name: str) -> bool:
    """Whether this transaction is the first to apply `name` to the event; waits for a rival to decide."""
    result = await session.execute(
        text(
            "INSERT INTO job_receipts (event_id, name) VALUES (:event_id, :name) ON CONFLICT DO NOTHING RETURNING true"
        ),
        {"event_id": event_id, "name": name},
    )
    return result.first() is not None


async def claim_due_schedules(session: AsyncSession, intervals: dict[str, float]) -> list[str]:
    """Names of recurring jobs (interval in seconds) that are due; each due run is claimed by one caller."""
    result = await session.execute(
        text(
            """
            INSERT INTO job_schedules AS s (name, next_run)
            SELECT name, now() + make_interval(secs => seconds)
            FROM unnest(CAST(:names AS text[]), CAST(:seconds AS float8[])) AS t(name, seconds) ORDER BY name
            ON CONFLICT (name) DO UPDATE SET next_run = excluded.next_run WHERE s.next_run <= now()
            RETURNING name
            """
        ),
        {"names": list(intervals), "seconds": list(intervals.values())},
    )
    return list(result.scalars())


async def dead_jobs(session: AsyncSession, name: str | None, place: Place) -> Found[DeadJob]:
    """Jobs that were given up, newest first."""
    statement = select(DeadJob) if name is None else select(DeadJob).where(DeadJob.name == name)
    return await page_of(session, statement, place, DeadJob.died_at, DeadJob.id)


async def take_dead_job(session: AsyncSession, job_id: UUID) -> DeadJob | None:
    """Remove a dead job and return it: of two who take the same one, one gets it."""
    return (await session.scalars(delete(DeadJob).where(DeadJob.id == job_id).returning(DeadJob))).one_or_none()


async def take_dead_jobs(session: AsyncSession, name: str, most: int) -> list[DeadJob]:
    """Remove those of one name that died first, and return them; what somebody else takes just now is left to them."""
    first = select(DeadJob).where(DeadJob.name == name).order_by(DeadJob.died_at, DeadJob.id).limit(most)
    found = list((await session.scalars(first.with_for_update(skip_locked=True))).all())
    ids = [job.id for job in found]
    await session.execute(delete(DeadJob).where(DeadJob.id.in_(ids)).execution_options(synchronize_session=False))
    return found


async def has_dead_jobs(session: AsyncSession, name: str) -> bool:
    return await session.scalar(select(DeadJob.id).where(DeadJob.name == name).limit(1)) is not None


async def prune(session: AsyncSession, *, receipt_days: int, log_days: int) -> None:
    """Forget what no waiting run can need: receipts, the queue's own log and statistics, counts of vanished jobs."""
    for statement, days in (
        ("DELETE FROM job_receipts WHERE done_at < now() - make_interval(days => :days)", receipt_days),
        ("DELETE FROM pgqueuer_log WHERE created < now() - make_interval(days => :days)", log_days),
        ("DELETE FROM pgqueuer_statistics WHERE created < now() - make_interval(days => :days)", log_days),
    ):
        await session.execute(text(statement), {"days": days})
    await session.execute(
        text("DELETE FROM job_attempts a WHERE NOT EXISTS (SELECT FROM pgqueuer q WHERE q.id = a.job_id)")
    )


async def queue_depths(session: AsyncSession) -> dict[str, tuple[int, float]]:
    """Waiting and running jobs by name, with the age in seconds of the oldest that is due."""
    rows = await session.execute(
        text(
            "SELECT entrypoint, count(*), coalesce(extract(epoch FROM now() - min(execute_after)), 0)::float8 "
            "FROM pgqueuer WHERE execute_after <= now() AND status IN ('queued', 'picked') GROUP BY entrypoint"
        )
    )
    return {name: (count, max(age, 0.0)) for name, count, age in rows}
