"""`memi import-users`: accounts of another system, from a file of one JSON object per line."""

import asyncio
import os
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from memi import wiring
from memi.auth.importing import MAX_LINE, ImportedAccount, Refusal, read_line, refusal
from memi.catalog.service import Catalog
from memi.catalog.snapshot import CatalogSnapshot
from memi.cli.database import open_database
from memi.cli.errors import BadUsage
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings, load_settings
from memi.users.importing_queries import NewAccount, insert_new

SOME_REFUSED = 3
"""The exit code when not every line went in."""
_BATCH = 2_000
_SAID_EVERY = 10_000
_SKIPPED = 64 * 1024
Tell = Callable[[int, int], None]
"""Told (lines read, bytes read)."""


def import_users(
    file: Annotated[str, typer.Argument(help="One JSON object per line; - reads from standard input.")],
    report: Annotated[
        Path | None, typer.Option(help="Where to write the refused lines. [default: FILE.refused.jsonl]")
    ] = None,
) -> None:
    """Take in accounts with their bcrypt or argon2 hashes; whose address is taken stays as it is.

    Fields: email, password_hash, name, city?, locale?, phone?, email_verified?, created_at?, external_id?.
    Exit code 3 when some lines were refused; running it again is safe.
    """
    settings = load_settings()
    target = report or Path("import-users.refused.jsonl" if file == "-" else f"{file}.refused.jsonl")
    if target.exists() and Path(file).exists() and target.samefile(file):
        raise BadUsage("the report cannot be written over the file itself")
    with _open(file) as source, open_database(settings) as urls, _Report(target) as refused, _progress(source) as tell:
        read = asyncio.run(_run(settings, urls.app, source, refused, tell))
    print(f"{read} lines: {read - refused.count} accounts were imported, {refused.count} lines were refused.")
    if refused.count:
        print(f"What was wrong with them is in {target}.")
        raise typer.Exit(SOME_REFUSED)


async def _run(settings: Settings, database_url: str, source: IO[bytes], refused: "_Report", tell: Tell) -> int:
    """How many lines there were, blank ones apart."""
    async with wiring.open_runtime(settings, database_url) as runtime:
        snapshot = await runtime.adapters.get(Catalog).snapshot()
        read = seen = 0
        batch: dict[str, tuple[int, ImportedAccount]] = {}
        for number, size, raw in lines(source):
            seen += size
            if raw is not None and not raw.strip():
                continue
            read += 1
            outcome = _checked(snapshot, number, raw)
            if isinstance(outcome, Refusal):
                refused.add(outcome)
            elif batch.setdefault(outcome.email.lower(), (number, outcome))[0] != number:
                refused.add(_taken(number, outcome))
            if len(batch) >= _BATCH:
                await _write(runtime, batch, refused)
                batch.clear()
            if read % _BATCH == 0:
                tell(read, seen)
        await _write(runtime, batch, refused)
        tell(read, seen)
    return read


def lines(source: IO[bytes]) -> Iterator[tuple[int, int, bytes | None]]:
    """(number from 1, bytes, the line without its end); None for a line that is too long, which is never held whole."""
    number = 0
    while raw := source.readline(MAX_LINE + 2):
        number += 1
        size = len(raw)
        text = raw.rstrip(b"\r\n")
        if len(text) <= MAX_LINE and (raw.endswith(b"\n") or size < MAX_LINE + 2):
            yield number, size, text
            continue
        while not raw.endswith(b"\n") and (raw := source.readline(_SKIPPED)):
            size += len(raw)
        yield number, size, None


def _checked(snapshot: CatalogSnapshot, number: int, raw: bytes | None) -> ImportedAccount | Refusal:
    if raw is None:
        return refusal(number, "", "line_too_long", f"Must have at most {MAX_LINE} bytes.")
    outcome = read_line(number, raw)
    if isinstance(outcome, ImportedAccount) and outcome.city is not None and snapshot.city(outcome.city) is None:
        return refusal(number, "/city", "unknown_value", "There is no such city.", outcome.external_id)
    return outcome


def _taken(number: int, account: ImportedAccount) -> Refusal:
    return refusal(number, "/email", "email_taken", "There is an account with this address.", account.external_id)


async def _write(runtime: Runtime, batch: dict[str, tuple[int, ImportedAccount]], refused: "_Report") -> None:
    """One transaction; what it refuses is reported once it has committed."""
    if not batch:
        return
    async with runtime.unit_of_work() as session:
        added = await insert_new(session, [_row(email, account) for email, (_, account) in batch.items()])
    for email, (number, account) in batch.items():
        if email not in added:
            refused.add(_taken(number, account))


def _row(email: str, account: ImportedAccount) -> NewAccount:
    return NewAccount(
        email=email,
        password_hash=account.password_hash.get_secret_value(),
        name=account.name,
        city=account.city.upper() if account.city else None,
        locale=account.locale,
        phone=account.phone,
        is_verified=account.email_verified,
        created_at=account.created_at,
    )


class _Report:
    """Refused lines, one JSON object each, in a file that only its owner reads; none when nothing was refused."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self.count = 0

    def __enter__(self) -> "_Report":
        self._path.unlink(missing_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, refused: Refusal) -> None:
        if self._file is None:
            try:
                descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except OSError as error:
                raise BadUsage(f"cannot write {self._path}: {error.strerror}") from None
            self._file = os.fdopen(descriptor, "wb")
        self.count += 1
        self._file.write(msgspec.json.encode(refused) + b"\n")


@contextmanager
def _open(file: str) -> Generator[IO[bytes]]:
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        with Path(file).open("rb") as source:
            yield source
    except OSError as error:
        if error.filename != file:
            raise
        raise BadUsage(f"cannot read {file}: {error.strerror}") from None


@contextmanager
def _progress(source: IO[bytes]) -> Generator[Tell]:
    """A bar on a terminal, a line now and then elsewhere."""
    if not sys.stderr.isatty():
        yield _sayer()
        return
    total = os.fstat(source.fileno()).st_size or None
    columns = (TextColumn("{task.fields[read]} lines"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("import", total=total, read=0)
        yield lambda read, seen: bar.update(task, completed=seen, read=read)


def _sayer() -> Tell:
    said = 0

    def say(read: int, _: int) -> None:
        nonlocal said
        if read - said >= _SAID_EVERY:
            said = read
            print(f"{read} lines read", file=sys.stderr)

    return say
