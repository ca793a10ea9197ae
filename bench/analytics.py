"""Analytics over a million listings and five million usage events: how soon it answers, and whether that is true.

A part of `python -m bench.run --only analytics`.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import httpx
from rich.console import Console
from rich.table import Table

from bench import load
from bench.analytics_rows import DAYS, Rows, write
from memi import wiring
from memi.analytics import counting
from memi.auth.passwords import PasswordHasher
from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.migrations import migrate
from memi.platform.permissions import Role
from memi.platform.settings import Settings
from memi.users import service as users

EVENTS = 5_000_000
ASKED = 200
MOST_MS = 50.0
_EMAIL, _PASSWORD = "bench-analytics@example.com", "a long enough passphrase"
Differs = Callable[[Rows, dict[str, Any]], Awaitable[list[str]]]
ENDPOINTS: dict[str, tuple[Differs, int]] = {
    "": (Rows.differs, 3),
    "?granularity=week": (Rows.differs, 1),
    "?granularity=month": (Rows.differs, 1),
    "/cohorts": (Rows.cohorts_differ, 3),
    "/funnel": (Rows.funnel_differs, 3),
}
"""With who counts an answer once more, and how many of them: the first is of the whole of it."""


@dataclass(frozen=True)
class Figures:
    """One endpoint: milliseconds in the middle and at the 95th of a hundred, the server's CPU, and what differs."""

    name: str
    cpu: float
    p50: float
    p95: float
    slowest: float
    size: int
    differs: list[str]

    @property
    def good(self) -> bool:
        return self.p95 <= MOST_MS and not self.differs


@contextmanager
def _timed(console: Console, what: str) -> Generator[None]:
    started = time.perf_counter()
    yield
    console.print(f"{what}: {time.perf_counter() - started:,.2f} s")


async def prepare(settings: Settings, urls: EmbeddedUrls, listings: int, console: Console) -> None:
    """Migrate, fill and count; rows that are there already are left as they are."""
    await asyncio.to_thread(migrate, urls.migrator, urls.app)
    await wiring.seed_reference(urls.migrator)
    connection = await asyncpg.connect(urls.superuser)
    present = await connection.fetchval("SELECT count(*) FROM status_moves WHERE subject = 'LISTING'")
    await connection.close()
    if not present:
        with (
            _timed(console, f"{listings:,} listings and {EVENTS:,} usage events written"),
            console.status("") as status,
        ):
            await write(urls.superuser, listings, EVENTS, lambda what: status.update(f"writing {what}"))
    async with wiring.open_runtime(settings, urls.app) as runtime:
        await _admin(runtime)
        today = datetime.now(UTC).date()
        if not present:
            with _timed(console, f"{DAYS} days counted from nothing"):
                first = today - timedelta(days=DAYS - 1)
                await counting.rebuild(runtime, first, today, lambda _done, _of: None)
        with _timed(console, "today counted once more, as every five minutes"):
            await counting.refresh(runtime)
        with _timed(console, "today and all that depends on it, as every hour"):
            await counting.refresh(runtime, patience=timedelta(0))


async def _admin(runtime: Any) -> None:
    async with runtime.unit_of_work() as session:
        if await users.find_by_email(session, _EMAIL) is None:
            hashed = await runtime.adapters.get(PasswordHasher).hash(_PASSWORD)
            made = await users.create(
                session, email=_EMAIL, name="Bench", password_hash=hashed, roles=(Role.USER, Role.ADMIN)
            )
            await users.saw(session, made.id)  # as signing in will, after the days were counted


def _windows(chance: random.Random, today: date) -> list[tuple[date, date]]:
    """The whole of it first, then windows of any length anywhere."""
    found = [(today - timedelta(days=DAYS - 1), today)]
    while len(found) < ASKED:
        start = today - timedelta(days=chance.randrange(DAYS))
        found.append((start, start + timedelta(days=chance.randrange((today - start).days + 1))))
    return found


async def _ask(client: httpx.AsyncClient, rows: Rows, name: str, pid: int) -> Figures:
    differs, recounted = ENDPOINTS[name]
    windows = _windows(random.Random(name), datetime.now(UTC).date())
    took: list[float] = []
    size, wrong, used = 0, list[str](), load.cpu_seconds(pid)
    answers: list[tuple[date, date, Any]] = []
    for number, (first, last) in enumerate(windows):
        parameters = f"{'&' if '?' in name else '?'}from={first}&to={last}"
        started = time.perf_counter()
        reply = await client.get(f"/api/v1/admin/analytics{name}{parameters}")
        took.append((time.perf_counter() - started) * 1000)
        if reply.status_code != 200:
            raise RuntimeError(f"{name}{parameters}: {reply.status_code} {reply.text[:500]}")
        size = max(size, len(reply.content))
        if number < recounted:
            answers.append((first, last, reply.json()))
    cpu = (load.cpu_seconds(pid) - used) * 1000 / len(took)
    took.sort()
    for first, last, answer in answers:
        wrong += [f"{first} to {last}: {what}" for what in await differs(rows, answer)]
    return Figures(name or "/", cpu, took[len(took) // 2], took[int(len(took) * 0.95)], took[-1], size, wrong)


async def measure(url: str, pid: int, database: str) -> list[Figures]:
    """Ask each endpoint 200 times, one after the other, and recount some of the answers from the rows."""
    connection = await asyncpg.connect(database, server_settings={"timezone": "UTC", "jit": "off", "work_mem": "256MB"})
    try:
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            reply = await client.post("/api/v1/auth/login", json={"email": _EMAIL, "password": _PASSWORD})
            client.headers["Authorization"] = f"Bearer {reply.json()['access_token']}"
            for name in ENDPOINTS:  # whatever a process does for the first time is done now
                await client.get(f"/api/v1/admin/analytics{name}")
            return [await _ask(client, Rows(connection), name, pid) for name in ENDPOINTS]
    finally:
        await connection.close()


def table_of(found: list[Figures]) -> Table:
    table = Table(title=f"/admin/analytics, each asked {ASKED} times, some answers recounted from the rows")
    for heading in ("endpoint", "CPU ms", "p50 ms", "p95 ms", "slowest ms", "largest KB", "equals the rows"):
        table.add_column(heading, justify="left" if heading == "endpoint" else "right")
    for item in found:
        colour = "green" if item.p95 <= MOST_MS else "red"
        equal = "[green]yes[/]" if not item.differs else f"[red]{'; '.join(item.differs)}[/]"
        table.add_row(
            item.name, f"{item.cpu:.1f}", f"{item.p50:.1f}", f"[{colour}]{item.p95:.1f}[/]", f"{item.slowest:.1f}",
            f"{item.size / 1024:,.0f}", equal,
        )  # fmt: skip
    return table
