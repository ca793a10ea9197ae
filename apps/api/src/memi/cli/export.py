"""`memi export`: data for people who analyse it."""

import asyncio
import os
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import IO, Annotated, Any, Protocol

import asyncpg
import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from memi.cli.database import open_database
from memi.cli.errors import BadUsage, CommandFailed
from memi.platform.settings import load_settings
from memi.usage.queries import EXPORT, EXPORT_COLUMNS, EXPORT_COUNT

BATCH = 20_000
"""Rows held at once, and of one row group of Parquet."""
_FIRST_DAY = date(2000, 1, 1)
app = typer.Typer(help="Write data into files.", no_args_is_help=True)


class Format(StrEnum):
    PARQUET = "parquet"
    JSONL = "jsonl"


class Sink(Protocol):
    """Takes rows in the order of `EXPORT_COLUMNS`; `close` writes what the format has at its end."""

    def write(self, rows: Sequence[Sequence[Any]]) -> None: ...
    def close(self) -> None: ...


@app.callback()
def _group() -> None:
    """A group of its own, although it has one command so far."""


@app.command("usage")
def export_usage(
    out: Annotated[Path, typer.Option(help="The file to write.")],
    format: Annotated[Format, typer.Option(help="Parquet needs the extra `export` (pyarrow).")],
    since: Annotated[
        str | None, typer.Option("--from", help="Day or time (RFC 3339, UTC when it says nothing else), inclusive.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="Day or time, exclusive. [default: the end of today]")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Write the usage events of a span of time, the oldest first: what docs/usage.md says of each column.

    The file appears under its name when it is whole. Memory stays the same however many there are.
    """
    begin = _moment(since, "--from") or datetime.combine(_FIRST_DAY, time(), UTC)
    end = _moment(until, "--to") or datetime.combine(datetime.now(UTC).date() + timedelta(days=1), time(), UTC)
    if begin >= end:
        raise BadUsage("--from must be before --to")
    open_sink = _opener(format)
    if out.exists() and not force:
        raise BadUsage(f"{out} is there already; --force writes over it")
    with open_database(load_settings()) as urls, _whole_file(out, force=force) as file, _progress() as tell:
        count = asyncio.run(_copy(urls.app, begin, end, open_sink(file), tell))
    Console(stderr=True).print(f"{count} events were written to {out}.", highlight=False)


async def _copy(url: str, begin: datetime, end: datetime, sink: Sink, tell: Callable[[int, int], None]) -> int:
    """How many rows there were. All of them are as they were at one moment."""
    options = {"application_name": "memi export", "timezone": "UTC", "statement_timeout": "0", "jit": "off"}
    connection = await asyncpg.connect(url, server_settings=options)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            total = await connection.fetchval(EXPORT_COUNT, begin, end)
            cursor = await connection.cursor(EXPORT, begin, end)
            done = 0
            tell(done, total)
            while rows := await cursor.fetch(BATCH):
                sink.write([tuple(row) for row in rows])
                done += len(rows)
                tell(done, total)
        sink.close()
        return done
    finally:
        await connection.close()


@contextmanager
def _whole_file(out: Path, *, force: bool) -> Generator[IO[bytes]]:
    """Written beside its place and given its name when it is whole; who ends before that leaves nothing there."""
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        file = part.open("xb")
    except OSError as error:
        raise BadUsage(f"cannot write {out}: {error.strerror}") from None
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if force:
            part.replace(out)
        else:
            _claim(part, out)
    finally:
        part.unlink(missing_ok=True)


def _claim(part: Path, out: Path) -> None:
    """Give the file its name, unless another took that meanwhile."""
    try:
        os.link(part, out)
    except FileExistsError:
        raise CommandFailed(f"{out} was made by somebody else meanwhile; --force writes over it") from None


@contextmanager
def _progress() -> Generator[Callable[[int, int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("events", total=None)

        def tell(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield tell


class _Lines:
    """One JSON object per line."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._encoder = msgspec.json.Encoder()

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        self._file.write(
            self._encoder.encode_lines([dict(zip(EXPORT_COLUMNS, plain(row), strict=True)) for row in rows])
        )

    def close(self) -> None:
        """There is nothing at the end of such a file."""


def plain(row: Sequence[Any]) -> tuple[Any, ...]:
    """A row with its keys in hexadecimal digits and its properties as the JSON that they are."""
    *first, visitor, person, properties = row
    return (*first, visitor.hex(), None if person is None else person.hex(), msgspec.Raw(properties.encode()))


def _opener(kind: Format) -> Callable[[IO[bytes]], Sink]:
    if kind is Format.JSONL:
        return _Lines
    try:
        return import_module("memi.cli.parquet").ParquetSink
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "pyarrow":
            raise
        raise CommandFailed('Parquet needs pyarrow: install "memi[export]", or choose --format jsonl') from None


def _moment(written: str | None, option: str) -> datetime | None:
    if written is None:
        return None
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        raise BadUsage(
            f"{option}: {written!r} is neither a day like 2026-11-30 nor a time like 2026-11-30T12:00Z"
        ) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
