"""Exports: a table as it is at one moment, read by a cursor and sent as it is read, whatever its size."""

from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from typing import Any
from weakref import WeakSet

from litestar.response import Stream
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from memi.admin import csv_cells
from memi.admin.schemas import ExportQuery
from memi.audit import service as audit
from memi.platform import clock
from memi.platform.errors import ServiceBusy, ValidationFailed
from memi.platform.principal import Principal
from memi.platform.streaming_queries import count_to, rows_of
from memi.platform.time_limit import TimeLimit

MOST_ROWS = 250_000
SECONDS = 300
"""How long one may take, however slowly it is read: it keeps a connection and old rows of the database."""
BATCH = 500
AT_ONCE = 2
"""In a process."""

Rows = Callable[[datetime | None, datetime | None], Select[*tuple[Any, ...]]]


running: WeakSet[AsyncSession] = WeakSet()
"""Sessions of exports in this process; one whose transaction has ended is over, however it ended."""


def _require_slot() -> None:
    if sum(session.in_transaction() for session in running) >= AT_ONCE:
        raise ServiceBusy("Other exports are being read; try again when they are done.", retry_after=30)


async def begin(
    session: AsyncSession, caller: Principal, kind: str, rows: Rows, asked: ExportQuery, *, limit: TimeLimit | None
) -> Stream:
    """The reply, once the audit log says who has it; raises `ServiceBusy`, and `ValidationFailed` for too many rows.

    The rows are read in the session of the request, which the gateway closes however the reply ends.
    """
    _require_slot()
    statement = rows(asked.since, asked.until)
    number = await count_to(session, statement, MOST_ROWS)
    if number > MOST_ROWS:
        raise ValidationFailed.of(
            "/since", "too_many", f"More than {MOST_ROWS} rows; narrow it by `since` and `until`."
        )
    facts = {"rows": number, "since": asked.since, "until": asked.until}
    await audit.record(session, caller, f"export.{kind}", "EXPORT", kind, after=facts)
    running.add(session)
    headers = {"Content-Disposition": f'attachment; filename="memi-{kind}-{clock.now():%Y-%m-%d}.csv"'}
    return Stream(_lines(session, statement, limit), media_type="text/csv", headers=headers)


async def _lines(
    session: AsyncSession, statement: Select[*tuple[Any, ...]], limit: TimeLimit | None
) -> AsyncGenerator[bytes]:
    if limit is not None:
        limit.extend(SECONDS)  # only now, since what commits before the reply begins sets it anew
    yield csv_cells.lines([list(statement.selected_columns.keys())])
    async for part in rows_of(session, statement, most=MOST_ROWS, batch=BATCH):
        yield csv_cells.lines(part)
