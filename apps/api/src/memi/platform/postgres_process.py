"""The server process of one cluster: starting and ending it, telling whether it runs, clearing up after a killed one.

The server must not outlive its launcher: on Linux the kernel sends it a fast shutdown when the thread that forked it
ends, so that thread, the keeper, lives exactly as long as the server or the launcher, whichever thread called `start`.
Elsewhere an orphan is ended by the next start. Ctrl-C in a terminal does not reach the server: it has its own session.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from memi.platform.postgres_files import EmbeddedPostgresError, Identity, clean_environment, run_as

_EXEC_SCRIPT = Path(__file__).with_name("postgres_exec.py")
POLL_SECONDS = 0.02


@dataclass(frozen=True)
class PidFile:
    """What a running server writes about itself into `postmaster.pid`."""

    pid: int
    port: int | None
    ready: bool


def read_pid_file(cluster: Path) -> PidFile | None:
    """The cluster's `postmaster.pid`; None when absent or not yet readable as one."""
    try:
        lines = (cluster / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
        pid = abs(int(lines[0]))
    except (FileNotFoundError, IndexError, ValueError):
        return None
    # Line 4 is the port, line 8 the status; the server adds the lines one by one while it starts.
    port = next((int(line) for line in lines[3:4] if line.strip().isdigit()), None)
    return PidFile(pid, port, ready=[line.strip() for line in lines[7:8]] == ["ready"])


def running_postmaster(cluster: Path) -> PidFile | None:
    """The live server of this cluster; None if its pid file is stale, also when another process has that number now."""
    pid_file = read_pid_file(cluster)
    return pid_file if pid_file is not None and pid_file.pid in cluster_processes(cluster) else None


def cluster_processes(cluster: Path) -> list[int]:
    """Every server process that works in this cluster, children of a dead postmaster included (those on Linux only)."""
    if not cluster.is_dir():
        return []
    if sys.platform == "linux":
        return _working_in(cluster)
    listing = subprocess.run(["ps", "-axo", "pid=,command="], check=True, capture_output=True, text=True).stdout
    return [int(line.split()[0]) for line in listing.splitlines() if f"postgres -D {cluster} " in line]


def _working_in(cluster: Path) -> list[int]:
    # Every PostgreSQL process has its cluster as working folder; a shell someone left there is told apart by its name.
    folder = cluster.stat()
    found: list[int] = []
    closed: list[int] = []
    for pid in [int(name) for name in os.listdir("/proc") if name.isdigit()]:
        try:
            if os.stat(f"/proc/{pid}").st_uid != folder.st_uid or Path(f"/proc/{pid}/comm").read_text() != "postgres\n":
                continue
            where = os.stat(f"/proc/{pid}/cwd")
        except PermissionError:
            closed.append(pid)
        except OSError:
            continue  # It ended meanwhile.
        else:
            if (where.st_dev, where.st_ino) == (folder.st_dev, folder.st_ino):
                found.append(pid)
    if closed:
        # Root in a container may look into its own processes only; the server's user may look into its.
        ask = 'cluster=$1; shift; for pid; do [ "/proc/$pid/cwd" -ef "$cluster" ] && echo "$pid"; done; true'
        owner = Identity(folder.st_uid, folder.st_gid)
        result = run_as(owner, ["/bin/sh", "-c", ask, "sh", str(cluster), *map(str, closed)], timeout=10)
        found += [int(pid) for pid in result.stdout.split()]
    return found


class Postmaster:
    """A server that this process started."""

    def __init__(self, command: list[str], identity: Identity, log: Path) -> None:
        self._log = log
        self._log_start = log.stat().st_size if log.exists() else 0
        self._spawned = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._failure: OSError | None = None
        self._keeper = threading.Thread(
            target=self._keep, args=(command, identity), name="postgres-keeper", daemon=True
        )
        self._keeper.start()
        self._spawned.wait()
        if self._process is None:
            raise EmbeddedPostgresError(f"cannot start the PostgreSQL server: {self._failure}") from self._failure
        self.pid = self._process.pid

    def _keep(self, command: list[str], identity: Identity) -> None:
        try:
            descriptor = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            try:
                whom = [str(os.getpid()), str(identity.uid), str(identity.gid)]
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", str(_EXEC_SCRIPT), *whom, *command],
                    stdin=subprocess.DEVNULL,
                    stdout=descriptor,
                    stderr=descriptor,
                    cwd="/",
                    env=clean_environment(),
                    start_new_session=True,
                )
            finally:
                os.close(descriptor)
        except OSError as error:
            self._failure = error
            return
        finally:
            self._spawned.set()
        self._process.wait()

    @property
    def alive(self) -> bool:
        return self._keeper.is_alive()

    def output(self) -> str:
        """What this server has written to the log so far, at most the last 4,000 characters."""
        with self._log.open(encoding="utf-8", errors="replace") as file:
            file.seek(self._log_start)
            return file.read()[-4000:].strip()

    def stop(self, timeout: float) -> None:
        """Fast shutdown: open transactions roll back, a checkpoint is written. Harder after `timeout` seconds."""
        for number, seconds in ((signal.SIGINT, timeout), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0)):
            if self.alive:
                _signal(self.pid, number)
                self._keeper.join(seconds)


def clear_remains(cluster: Path, deadline: float) -> None:
    """Make a cluster startable after its server or launcher was killed. Only for whoever holds the cluster's lock.

    Ends a server without launcher, then any of its children that have not noticed, then removes a pid file whose number
    has gone to another process, with which PostgreSQL refuses to start. `deadline` is monotonic seconds.
    """
    for number, patience in ((signal.SIGINT, 10.0), (signal.SIGQUIT, 3.0), (signal.SIGKILL, 5.0)):
        postmaster = running_postmaster(cluster)
        if postmaster is None and number is signal.SIGINT:
            # Children of a killed server notice by themselves, mostly at once; to them SIGINT means something else.
            _wait_until_gone(cluster, min(deadline, time.monotonic() + 1.0))
            continue
        targets = cluster_processes(cluster) if postmaster is None or number is signal.SIGKILL else [postmaster.pid]
        for pid in targets:
            _signal(pid, number)
        _wait_until_gone(cluster, min(deadline, time.monotonic() + patience))
    left = cluster_processes(cluster)
    if left:
        raise EmbeddedPostgresError(f"processes {left} still use {cluster} and cannot be ended")
    stale = read_pid_file(cluster)
    # Only when seen with our own eyes to be another process: in doubt PostgreSQL's own check of the file shall decide.
    if stale is not None and Path(f"/proc/{stale.pid}").exists():
        (cluster / "postmaster.pid").unlink()


def _wait_until_gone(cluster: Path, until: float) -> None:
    while cluster_processes(cluster) and time.monotonic() < until:
        time.sleep(POLL_SECONDS)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # It ended by itself, which is what was wanted.
