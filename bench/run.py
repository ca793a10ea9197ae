"""memi against the floor, and both beside pgbench: `python -m bench.run [--listings N] [--seconds S] [--rounds R]`.

Figures are ratios within one run: memi, floor and pgbench take turns on the same machine, and the median round counts.
"""

import argparse
import asyncio
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
from rich.console import Console
from rich.table import Table

from bench import analytics, load, plan, prepare, rush
from bench.load import Result
from bench.plan import Scenario
from memi.platform.embedded_postgres import EmbeddedPostgres, EmbeddedUrls
from memi.platform.postgres_binaries import find_installation
from memi.platform.settings import Settings

_FOLDER = Path(__file__).parent
_REQUIRED = 0.55
_CONNECTIONS = 32
RUSH = "logins"
ANALYTICS = "analytics"
console = Console()


@contextmanager
def serving(application: str, environment: dict[str, str], ready: str) -> Generator[tuple[str, int]]:
    """One uvicorn process; gives its URL and process id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", application, "--port", str(port), "--loop", "uvloop"]
    command += ["--http", "httptools"]
    command += [
        "--no-access-log",
        "--no-proxy-headers",
        "--no-server-header",
        "--log-level",
        "warning",
        "--ws",
        "websockets-sansio",
        "--lifespan",
        "on",
    ]
    if application.endswith(":create"):
        command.append("--factory")
    process = subprocess.Popen(command, env={**os.environ, **environment, "MEMI_PORT": str(port)})
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url + ready, process)
        yield url, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        try:
            httpx.get(url, timeout=1)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the server did not start")


def measure(
    scenario: Scenario, folder: Path, environment: dict[str, str], seconds: int, rounds: int
) -> tuple[Result, Result]:
    """(memi, floor): the medians of runs that take turns."""
    requests = folder / "requests.txt"
    lines = [f"{answer.path} {scenario.token_by_path.get(answer.path, '')}".strip() for answer in scenario.answers]
    console.print(f"{scenario.name}: {len(scenario.answers[0].statements)} statement(s)")
    requests.write_text("\n".join(lines) + "\n")
    script = _FOLDER / ("send.lua" if scenario.sends else "get.lua")
    floor_environment = {**environment, "MEMI_BENCH_PLAN": str(prepare.plan_path(folder, scenario))}
    with (
        serving("memi.cli.serving:create", environment, "/health/live") as (memi_url, memi_pid),
        serving("bench.floor:app", floor_environment, "/") as (floor_url, floor_pid),
    ):
        results: dict[str, list[Result]] = {"memi": [], "floor": []}
        if not scenario.sends:
            _same_bytes(memi_url, floor_url, scenario)
        for turn in range(rounds + 1):
            for name, url, pid in (("memi", memi_url, memi_pid), ("floor", floor_url, floor_pid)):
                arguments = [str(requests), f"{name}-{os.getpid()}-{turn}-{time.time_ns()}"]
                span = seconds if turn else 2
                result = load.run(url, script, pid, seconds=span, connections=_CONNECTIONS, arguments=arguments)
                if result.errors:
                    raise RuntimeError(f"{scenario.name}: {result.errors} failed requests at {name}")
                if turn:  # the first round only warms both up
                    results[name].append(result)
    return _median(results["memi"]), _median(results["floor"])


def _same_bytes(memi_url: str, floor_url: str, scenario: Scenario) -> None:
    plain = {"Accept-Encoding": "identity"}
    for answer in scenario.answers:
        ours, bare = (httpx.get(url + answer.path, headers=plain) for url in (memi_url, floor_url))
        # A cursor of ranked results names the moment they were ranked, so it alone differs.
        if _uncursored(ours.content) != _uncursored(bare.content):
            raise RuntimeError(f"{answer.path}: memi and the floor answer different bytes")


def check(recorded: Sequence[Scenario], folder: Path, environment: dict[str, str]) -> None:
    """Ask memi and the floor each request once; raises when one refuses, or reads differ."""
    with serving("memi.cli.serving:create", environment, "/health/live") as (memi_url, _):
        for scenario in recorded:
            floor_environment = {**environment, "MEMI_BENCH_PLAN": str(prepare.plan_path(folder, scenario))}
            with serving("bench.floor:app", floor_environment, "/") as (floor_url, _):
                if scenario.sends:
                    for url in (memi_url, floor_url):
                        _send_once(url, scenario)
                else:
                    _same_bytes(memi_url, floor_url, scenario)
            console.print(f"{scenario.name}: {len(scenario.answers)} requests answered alike")


def _send_once(url: str, scenario: Scenario) -> None:
    for answer in scenario.answers:
        body = {"body": "Is it still available?", "client_id": uuid4().hex}
        headers = {"Authorization": f"Bearer {scenario.token_by_path[answer.path]}"}
        reply = httpx.post(url + answer.path, json=body, headers=headers)
        if reply.status_code != 201:
            raise RuntimeError(f"{answer.path}: {reply.status_code} {reply.text[:500]}")


def _uncursored(body: bytes) -> bytes:
    return body.partition(b',"next_cursor":')[0]


def _median(results: list[Result]) -> Result:
    return sorted(results, key=lambda result: result.rate)[len(results) // 2]


async def _scripts(scenario: Scenario, url: str) -> list[str]:
    connection = await asyncpg.connect(url)
    try:
        return [
            "".join([await plan.inlined(statement, connection) + ";\n" for statement in answer.statements])
            for answer in scenario.answers[:16]
        ]
    finally:
        await connection.close()


def pgbench(scenario: Scenario, folder: Path, url: str, seconds: int) -> float:
    """Transactions a second of the same SQL, straight from PostgreSQL's own load tool."""
    folder = folder / "pgbench"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    command = [str(find_installation() / "bin" / "pgbench"), "-n", "-M", "prepared", "-c", "8", "-j", "1"]
    command += ["-T", str(seconds)]
    for number, text in enumerate(asyncio.run(_scripts(scenario, url))):
        script = folder / f"{number}.sql"
        script.write_text(text)
        command += ["-f", str(script)]
    output = subprocess.run([*command, url], capture_output=True, text=True, check=False)
    if output.returncode:
        raise RuntimeError(f"pgbench: {output.stderr[-2000:]}")
    return float(next(line.split("=")[1].split()[0] for line in output.stdout.splitlines() if line.startswith("tps")))


def report(rows: list[tuple[Scenario, Result, Result, float]]) -> bool:
    """Print the table; whether every scenario reaches its share of the floor."""
    table = Table(title="memi against the floor: one process each, all middleware on, no response cache")
    headings = "scenario|memi /s|floor /s|ratio|memi CPU ms|floor CPU ms|p50 ms|p99 ms|pgbench /s"
    for heading in headings.split("|"):
        table.add_column(heading, justify="left" if heading == "scenario" else "right")
    for scenario, ours, bare, postgres in rows:
        ratio = ours.rate / bare.rate
        colour = "green" if ratio >= _REQUIRED else "red"
        table.add_row(
            scenario.name,
            f"{ours.rate:,.0f}",
            f"{bare.rate:,.0f}",
            f"[{colour}]{ratio:.0%}[/]",
            f"{ours.cpu:.3f}",
            f"{bare.cpu:.3f}",
            f"{ours.p50:.2f}",
            f"{ours.p99:.2f}",
            f"{postgres:,.0f}",
        )
    console.print(table)
    return all(ours.rate / bare.rate >= _REQUIRED for _, ours, bare, _ in rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listings", type=int, help="200,000, and a million for analytics")
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help=f"a scenario's name, {RUSH}, or {ANALYTICS}, which only runs when it is named")
    parser.add_argument("--data-dir", type=Path, default=Path(".memi/bench"))
    parser.add_argument("--check", action="store_true", help="ask each request once, and measure nothing")
    options = parser.parse_args()
    if options.only == ANALYTICS:
        return _analytics(options)
    if not options.check and not load.wrk_available():
        console.print("wrk is not installed: `apt-get install wrk` (or your system's package) and try again")
        return 2
    options.data_dir.mkdir(parents=True, exist_ok=True)
    with EmbeddedPostgres(options.data_dir / "postgres") as urls:
        rows, calm = _run(options, urls)
    fast = report(rows) if rows else True
    return 0 if fast and calm else 1


def _environment(folder: Path, urls: EmbeddedUrls) -> dict[str, str]:
    """What memi is told, here and in the processes that are started."""
    environment = {
        "MEMI_ENV": "local",
        "MEMI_DATA_DIR": str(folder),
        "MEMI_PUBLIC_URL": "http://127.0.0.1:8000",
        "MEMI_ACCESS_LOG": "none",
        "MEMI_RATE_LIMITS": "off",
        "MEMI_DATABASE_URL": urls.app,
        "PYTHONPATH": str(_FOLDER.parent),
    }
    os.environ.update(environment)
    return environment


def _analytics(options: argparse.Namespace) -> int:
    """A marketplace of its own, since a million listings of a year would change what the others measure."""
    folder = (options.data_dir / "analytics").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with EmbeddedPostgres(folder / "postgres") as urls:
        environment = _environment(folder, urls)
        asyncio.run(analytics.prepare(Settings(), urls, options.listings or 1_000_000, console))
        with serving("memi.cli.serving:create", environment, "/health/live") as (url, pid):
            found = asyncio.run(analytics.measure(url, pid, urls.superuser))
    console.print(analytics.table_of(found))
    return 0 if all(item.good for item in found) else 1


def _run(options: argparse.Namespace, urls: EmbeddedUrls) -> tuple[list[tuple[Scenario, Result, Result, float]], bool]:
    """(a row for each scenario, whether browsing stays quick while many sign in)."""
    folder = options.data_dir.resolve()
    environment = _environment(folder, urls)
    settings = Settings()
    asyncio.run(prepare.fill(settings, urls, options.listings or 200_000, console))
    recorded = asyncio.run(prepare.scenarios(settings, urls, chats=4 if options.check else prepare.CHATS))
    rows: list[tuple[Scenario, Result, Result, float]] = []
    if options.check:
        check(recorded, folder, environment)
        return rows, True
    for scenario in recorded:
        if options.only and scenario.name != options.only:
            continue
        with console.status(scenario.name):
            ours, bare = measure(scenario, folder, environment, options.seconds, options.rounds)
            postgres = pgbench(scenario, folder, urls.app, options.seconds)
        rows.append((scenario, ours, bare, postgres))
        console.print(f"{scenario.name}: {ours.rate / bare.rate:.0%} of the floor")
    if rows:
        console.print(f"median ratio {statistics.median(ours.rate / bare.rate for _, ours, bare, _ in rows):.0%}")
    calm = True
    if options.only in (None, RUSH):
        emails = asyncio.run(rush.make_accounts(settings, urls.app))
        paths = [answer.path for answer in recorded[0].answers]
        with serving("memi.cli.serving:create", environment, "/health/live") as (url, pid), console.status(RUSH):
            found = rush.run(url, pid, paths, emails, folder=folder, seconds=options.seconds)
        console.print(rush.table_of(found))
        calm = found.good
    return rows, calm


if __name__ == "__main__":
    sys.exit(main())
