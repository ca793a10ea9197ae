"""Drive one server with wrk and count what it cost."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


@dataclass(frozen=True)
class Result:
    """One run: requests per second, latency percentiles and the server's CPU, both in milliseconds."""

    rate: float
    p50: float
    p99: float
    cpu: float
    errors: int


def wrk_available() -> bool:
    try:
        subprocess.run(["wrk", "-v"], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return True


def run(url: str, script: Path, pid: int, *, seconds: int, connections: int, arguments: list[str]) -> Result:
    """Load `url` for `seconds`; `script` chooses the requests from `arguments`. Raises when wrk cannot run."""
    before = cpu_seconds(pid)
    output = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), url, "--", *arguments],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    used = cpu_seconds(pid) - before
    requests = int(_find(r"(\d+) requests in", output))
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    errors = int(failed[1]) if failed else 0
    errors += sum(int(part) for part in sockets.groups()) if sockets else 0
    return Result(
        rate=float(_find(r"Requests/sec:\s+([\d.]+)", output)),
        p50=_latency(output, "50%"),
        p99=_latency(output, "99%"),
        cpu=used * 1000 / max(requests, 1),
        errors=errors,
    )


def cpu_seconds(pid: int) -> float:
    """User and system time the process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _latency(output: str, percentile: str) -> float:
    match = re.search(rf"{re.escape(percentile)}\s+([\d.]+)(us|ms|s)", output)
    if match is None:
        raise RuntimeError(f"wrk printed no {percentile} latency:\n{output}")
    return float(match[1]) * _UNITS[match[2]]


def _find(pattern: str, output: str) -> str:
    match = re.search(pattern, output)
    if match is None:
        raise RuntimeError(f"wrk printed something unexpected:\n{output}")
    return match[1]
