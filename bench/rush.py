"""Does browsing suffer while a hundred people sign in at once? A part of `python -m bench.run`."""

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from rich.table import Table
from sqlalchemy.exc import IntegrityError

from bench import load
from memi import wiring
from memi.auth.passwords import PasswordHasher
from memi.platform.settings import Settings
from memi.users import service as users
from memi.users.errors import EmailTaken

LOGINS = 100
SHARE = 0.3
MOST_TIMES_QUIET = 3.0
_PASSWORD = "a long enough passphrase"
_CONNECTIONS = 64
_QUIET_FIRST = 2.0
_RUSH_AT_MOST = 16.0
_ROUNDS = 5
"""More than elsewhere: what befalls one request in a hundred differs more than the mean does."""


@dataclass(frozen=True)
class Figures:
    """One round: requests asked for a second, milliseconds at the 99th of a hundred, and what failed."""

    rate: float
    quiet: float
    rushed: float
    rush_seconds: float
    browse_failures: int
    login_failures: list[str]
    slowest_login: float

    @property
    def times(self) -> float:
        return self.rushed / self.quiet

    @property
    def good(self) -> bool:
        return self.times <= MOST_TIMES_QUIET and not self.browse_failures and not self.login_failures


async def make_accounts(settings: Settings, url: str) -> list[str]:
    """Addresses of people who can sign in."""
    emails = [f"bench-login-{number}@example.com" for number in range(LOGINS)]
    async with wiring.open_runtime(settings, url) as runtime:
        hashed = await runtime.adapters.get(PasswordHasher).hash(_PASSWORD)
        for email in emails:
            try:
                async with runtime.unit_of_work() as session:
                    await users.create(session, email=email, name="Bench", password_hash=hashed)
            except (EmailTaken, IntegrityError):
                continue  # of an earlier run
    return emails


def _request(host: str, email: str) -> bytes:
    body = json.dumps({"email": email, "password": _PASSWORD}).encode()
    head = f"POST /api/v1/auth/login HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    return head.encode() + f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


async def _answer(reader: asyncio.StreamReader) -> tuple[str, float]:
    """(the status, when)."""
    reply = await reader.read()
    return reply[9:12].decode() or "no answer", time.time()


async def _rush(host: str, port: int, emails: list[str]) -> tuple[list[str], float, float, float]:
    """(failures, the slowest, begin and end by the machine's clock).

    They are connected before, as through a proxy, and asked in one breath: making a hundred connections would take this
    process so long that it were no longer at once, and take from the server the processor that it is measured on.
    """
    lines = [await asyncio.open_connection(host, port) for _ in emails]
    requests = [_request(host, email) for email in emails]
    begun = time.time()
    for (_, writer), request in zip(lines, requests, strict=True):
        writer.write(request)
    replies = await asyncio.gather(*[_answer(reader) for reader, _ in lines])
    for _, writer in lines:
        writer.close()
    ended = max(when for _, when in replies)
    return [status for status, _ in replies if status != "200"], ended - begun, begun, ended


def _p99(latencies: list[list[float]], begin: float, end: float) -> float:
    """Of those meant to go out between the two."""
    found = sorted(took for meant_at, took in latencies if begin <= meant_at <= end)
    return found[int(len(found) * 0.99)] if found else float("nan")


def measure(url: str, paths: Path, emails: list[str], *, rate: float, seconds: float) -> Figures:
    """Browse at `rate`, quietly at first; then a hundred sign in while it goes on."""
    host, port = str(urlsplit(url).hostname), int(urlsplit(url).port or 80)
    quiet = seconds / 2 + _QUIET_FIRST
    arguments = [url, str(rate), str(quiet + _RUSH_AT_MOST), str(_CONNECTIONS), str(paths)]
    asking = subprocess.Popen([sys.executable, "-m", "bench.steady", *arguments], stdout=subprocess.PIPE, text=True)
    started = time.time()
    time.sleep(quiet)
    failures, slowest, begun, ended = asyncio.run(_rush(host, port, emails))
    output, _ = asking.communicate()
    if ended - begun > _RUSH_AT_MOST:
        raise RuntimeError(f"signing in took {ended - begun:.0f} s, longer than browsing went on")
    found = json.loads(output)
    return Figures(
        rate=rate,
        quiet=_p99(found["latencies"], started + _QUIET_FIRST, begun),
        rushed=_p99(found["latencies"], begun, ended),
        rush_seconds=ended - begun,
        browse_failures=found["failures"],
        login_failures=failures,
        slowest_login=slowest,
    )


def run(url: str, pid: int, paths: list[str], emails: list[str], *, folder: Path, seconds: int) -> Figures:
    """The median round, with the failures of all."""
    listing = folder / "rush.txt"
    listing.write_text("\n".join(paths) + "\n")
    script = Path(__file__).parent / "get.lua"
    full = load.run(url, script, pid, seconds=seconds, connections=32, arguments=[str(listing)])
    parts = urlsplit(url)
    asyncio.run(_rush(str(parts.hostname), int(parts.port or 80), emails[:5]))  # what a process does once is done
    found = [measure(url, listing, emails, rate=full.rate * SHARE, seconds=seconds) for _ in range(_ROUNDS)]
    median = sorted(found, key=lambda figures: figures.times)[len(found) // 2]
    return replace(
        median,
        browse_failures=sum(figures.browse_failures for figures in found),
        login_failures=[status for figures in found for status in figures.login_failures],
    )


def table_of(figures: Figures) -> Table:
    table = Table(title=f"browse at {SHARE:.0%} of its maximum while {LOGINS} people sign in at once")
    headings = "browse /s|p99 quiet ms|p99 meanwhile ms|times|browse failed|logins failed|rush s|slowest login s"
    for heading in headings.split("|"):
        table.add_column(heading, justify="right")
    colour = "green" if figures.good else "red"
    table.add_row(
        f"{figures.rate:,.0f}",
        f"{figures.quiet:.2f}",
        f"{figures.rushed:.2f}",
        f"[{colour}]{figures.times:.2f}[/]",
        str(figures.browse_failures),
        str(len(figures.login_failures)),
        f"{figures.rush_seconds:.1f}",
        f"{figures.slowest_login:.1f}",
    )
    return table
