"""A whole memi, started as people start it."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import httpx


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(data_dir: Path, port: int, **more: str) -> dict[str, str]:
    """Only what memi is given here: settings of the developer's own shell must not leak in."""
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith("MEMI_")}
    return {**inherited, "MEMI_DATA_DIR": str(data_dir), "MEMI_PORT": str(port), **more}


def memi(*arguments: str, env: dict[str, str], cwd: Path, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run a `memi` command to its end."""
    command = [sys.executable, "-m", "memi.cli.main", *arguments]
    return subprocess.run(
        command, env=env, cwd=cwd, input=text, capture_output=True, text=True, timeout=120, check=False
    )


class Service:
    """`memi up` as a process, with its data in `data_dir`."""

    def __init__(self, data_dir: Path, port: int, log: Path) -> None:
        self.data_dir, self.port = data_dir, port
        self.url = f"http://127.0.0.1:{port}"
        self.env = environment(data_dir, port)
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "memi.cli.main", "up", "--no-demo-data"],
                env=self.env,
                cwd=self.log.parent,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + 90
        while not self.answers():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.stop(signal.SIGTERM)

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def stop(self, *numbers: signal.Signals) -> int:
        """Send the signals in a row; the exit code."""
        assert self.process is not None
        for number in numbers:
            self.process.send_signal(number)
            time.sleep(0.05)
        return self.process.wait(60)

    def processes(self) -> set[int]:
        """Every process that belongs to this memi: those with its data folder in their environment or arguments."""
        marks = (f"MEMI_DATA_DIR={self.data_dir}".encode(), f"{self.data_dir}/".encode())
        found: set[int] = set()
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                text = (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
            except OSError:
                continue  # ended meanwhile, or somebody else's
            if any(mark in text for mark in marks):
                found.add(int(folder.name))
        return found
