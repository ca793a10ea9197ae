"""Verdicts of reads, on their way to the database: a read answers without waiting for a write."""

import asyncio
import contextlib
from collections import deque

import asyncpg
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from memi.intelligence import queries
from memi.intelligence.queries import Row
from memi.platform import metrics
from memi.platform.unit_of_work import UnitOfWork

log = structlog.get_logger(__name__)
_MOST = 2000
_BATCH = 500
_SECONDS = 1.0


class VerdictBuffer:
    """Holds at most `_MOST`, and a task only while it holds any. What a crash or a lost database takes is counted."""

    def __init__(self, unit_of_work: UnitOfWork) -> None:
        self._unit_of_work = unit_of_work
        self._rows: deque[Row] = deque()
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    @property
    def waiting(self) -> int:
        return len(self._rows)

    def add(self, row: Row) -> None:
        if len(self._rows) >= _MOST:
            metrics.INTELLIGENCE_DROPPED.inc()
            return
        self._rows.append(row)
        if self._task is None:
            self._task = asyncio.create_task(self._write_soon(), name="intelligence verdicts")

    async def flush(self) -> None:
        """Write all there is now."""
        while self._rows:
            batch = [self._rows.popleft() for _ in range(min(_BATCH, len(self._rows)))]
            try:
                async with self._unit_of_work() as session:
                    await queries.add(session, batch)
            except (OSError, TimeoutError, asyncpg.InterfaceError, DBAPIError, PoolTimeoutError) as error:
                metrics.INTELLIGENCE_DROPPED.inc(len(batch))
                log.warning("intelligence_verdicts_lost", count=len(batch), error=type(error).__name__)

    async def aclose(self) -> None:
        """Write what is left."""
        self._closing.set()
        if self._task is not None:
            await self._task

    async def _write_soon(self) -> None:
        try:
            while self._rows:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_SECONDS):
                        await self._closing.wait()
                await self.flush()
        finally:
            self._task = None
