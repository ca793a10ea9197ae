"""The worker's loop: pgqueuer picks and re-picks, this runs, counts attempts, backs off and buries."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from types import ModuleType
from typing import Any

import asyncpg
import msgspec
import structlog
from pgqueuer.adapters.drivers.asyncpg import AsyncpgPoolDriver
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.core.qm import QueueManager
from pgqueuer.domain.errors import FailingListenerError, RetryRequested
from pgqueuer.domain.models import Job as QueuedJob
from pgqueuer.domain.types import QueueEntrypoint, QueueExecutionMode
from sqlalchemy.exc import DBAPIError

from memi.platform import job_queue, metrics
from memi.platform.events import Envelope, Subscription
from memi.platform.jobs import Job, Postponed, RecurringJob
from memi.platform.runtime import Runtime

log = structlog.get_logger(__name__)
_MAX_BACKOFF = 600.0
_TICK_SECONDS = 1.0
_SOON = timedelta(seconds=1.1)
_RECURRING_TICK = "platform.recurring"


class _DueQueries(Queries):
    """For draining: what is not due within moments does not count as waiting."""

    async def queued_work(self, entrypoints: list[QueueEntrypoint]) -> int:
        eta = await self.next_deferred_eta(entrypoints)
        soon = eta is not None and eta <= _SOON
        return int(soon) or await self.eligible_queued_work(entrypoints)


class JobRunner:
    """Runs every durable handler and job of this process until told to stop."""

    def __init__(self, runtime: Runtime, modules: Iterable[ModuleType]) -> None:
        self.runtime = runtime
        self._durable = {item.name: item for item in runtime.bus.subscriptions if item.kind == "durable"}
        found: list[Job[Any] | RecurringJob] = [
            item for module in modules for item in vars(module).values() if isinstance(item, Job | RecurringJob)
        ]
        self._jobs: dict[str, Job[Any]] = {item.name: item for item in found if isinstance(item, Job)}
        self._recurring = {item.name: item for item in found if isinstance(item, RecurringJob)}
        self._stop = asyncio.Event()
        self._manager: QueueManager | None = None

    def stop(self) -> None:
        """Finish what runs, take nothing new."""
        self._stop.set()
        if self._manager is not None:
            self._manager.shutdown.set()

    async def run(self) -> None:
        """Serve until `stop`; a lost database is waited for."""
        ticker = asyncio.create_task(self._tick(), name="recurring jobs")
        try:
            while not self._stop.is_set():
                try:
                    await self._serve()
                except (
                    OSError,
                    TimeoutError,
                    asyncpg.PostgresError,
                    asyncpg.InterfaceError,
                    FailingListenerError,
                ) as error:
                    log.warning("worker_database_lost", error=type(error).__name__)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(1):
                            await self._stop.wait()
        finally:
            ticker.cancel()
            await asyncio.gather(ticker, return_exceptions=True)

    async def drain(self) -> None:
        """Run what is due now or within a second, and what that causes, then return."""
        await self._serve(QueueExecutionMode.drain)

    async def _serve(self, mode: QueueExecutionMode = QueueExecutionMode.continuous) -> None:
        settings = self.runtime.settings
        async with asyncpg.create_pool(self.runtime.database.url, min_size=2, max_size=4, timeout=5) as pool:
            queries = _DueQueries if mode is QueueExecutionMode.drain else Queries
            manager = QueueManager(queries(AsyncpgPoolDriver(pool)))
            for name in (*self._durable, *self._jobs, *self._recurring):
                manager.entrypoint(name)(self._entrypoint(name))
            self._manager = manager
            if self._stop.is_set():
                return
            await manager.run(
                dequeue_timeout=timedelta(seconds=settings.job_poll_seconds),
                batch_size=min(10, settings.job_concurrency // 2),
                max_concurrent_tasks=settings.job_concurrency,
                heartbeat_timeout=timedelta(seconds=settings.job_heartbeat_seconds),
                mode=mode,
                shutdown_on_listener_failure=True,
            )

    def _entrypoint(self, name: str) -> Callable[[QueuedJob], Awaitable[None]]:
        async def run(queued: QueuedJob) -> None:
            await self._run_counted(name, queued)

        return run

    async def _run_counted(self, name: str, queued: QueuedJob) -> None:
        cap = self.runtime.settings.job_attempts
        async with self.runtime.unit_of_work() as session:
            attempt = await job_queue.begin_attempt(session, queued.id)
        if attempt > cap:
            await self._bury(name, queued, attempt - 1, "its worker died each time")
            return
        try:
            with structlog.contextvars.bound_contextvars(job=name, job_id=queued.id, attempt=attempt):
                await self._execute(name, queued)
        except Postponed as error:
            metrics.JOBS.labels(name, "postponed").inc()
            async with self.runtime.unit_of_work() as session:
                await job_queue.forget_attempts(session, queued.id)
            raise RetryRequested(error.delay, str(error)) from error
        except Exception as error:
            # Whatever a handler raises is its failure to tell, not the loop's to die of: logged, retried, buried.
            metrics.JOBS.labels(name, "failed").inc()
            log.exception("job_failed", job=name, job_id=queued.id, attempt=attempt)
            if attempt >= cap:
                await self._bury(name, queued, attempt, f"{type(error).__name__}: {error}"[:2000])
                return
            raise RetryRequested(
                timedelta(seconds=min(_MAX_BACKOFF, 0.5 * 2**attempt)), type(error).__name__
            ) from error
        metrics.JOBS.labels(name, "done").inc()

    async def _execute(self, name: str, queued: QueuedJob) -> None:
        payload = queued.payload or b"{}"
        if name in self._durable:
            await self._handle_event(self._durable[name], queued.id, payload)
            return
        if name in self._recurring:
            await self._recurring[name].run(self.runtime)
        else:
            job = self._jobs[name]
            await job.run(msgspec.json.decode(payload, type=job.payload), self.runtime)
        async with self.runtime.unit_of_work() as session:
            await job_queue.forget_attempts(session, queued.id)

    async def _handle_event(self, item: Subscription, job_id: int, payload: bytes) -> None:
        envelope = msgspec.json.decode(payload, type=Envelope)
        async with self.runtime.unit_of_work() as session:
            if await job_queue.claim_receipt(session, envelope.event_id, item.name):
                await item(msgspec.json.decode(envelope.event, type=item.event), session)
            await job_queue.forget_attempts(session, job_id)

    async def _bury(self, name: str, queued: QueuedJob, attempts: int, error: str) -> None:
        metrics.JOBS.labels(name, "dead").inc()
        log.error("job_dead", job=name, job_id=queued.id, attempts=attempts, error=error)
        async with self.runtime.unit_of_work() as session:
            session.add(job_queue.DeadJob(name=name, payload=queued.payload or b"", attempts=attempts, error=error))
            await job_queue.forget_attempts(session, queued.id)

    async def _tick(self) -> None:
        intervals = {name: item.every.total_seconds() for name, item in self._recurring.items()}
        while intervals:
            try:
                async with self.runtime.unit_of_work() as session:
                    due = await job_queue.claim_due_schedules(session, intervals)
                    if due:
                        keys = [f"{_RECURRING_TICK}:{name}" for name in due]
                        await job_queue.insert_jobs(session, due, [b"{}"] * len(due), [0.0] * len(due), keys)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, DBAPIError) as error:
                log.warning("recurring_tick_failed", error=type(error).__name__)
            await asyncio.sleep(_TICK_SECONDS)
