"""Doing to an embedded PostgreSQL what a bad day does."""

import os
import signal
import time
from pathlib import Path

from memi.platform.embedded_postgres import EmbeddedPostgres
from memi.platform.postgres_process import cluster_processes, read_pid_file


def kill_postmaster(server: EmbeddedPostgres) -> int:
    status = read_pid_file(server.cluster_dir)
    assert status is not None
    os.kill(status.pid, signal.SIGKILL)
    return status.pid


def wait_until_gone(cluster: Path, seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while cluster_processes(cluster):
        assert time.monotonic() < until, "the server is still running"
        time.sleep(0.05)
