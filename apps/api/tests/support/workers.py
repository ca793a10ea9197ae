"""Workers that a test kills."""

import os
import subprocess
import sys
from pathlib import Path

from memi.platform.embedded_postgres import EmbeddedUrls


class Workers:
    """Worker processes on one database."""

    def __init__(self, urls: EmbeddedUrls, folder: Path) -> None:
        self._url = urls.app
        self._folder = folder
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MEMI_")}
        environment.update(
            MEMI_ENV="test",
            MEMI_DATA_DIR=str(self._folder),
            MEMI_JOB_HEARTBEAT_SECONDS="1",
            MEMI_JOB_POLL_SECONDS="0.2",
            PYTHONPATH=os.pathsep.join(sys.path),
        )
        with (self._folder / "worker.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "support.fault_worker", self._url],
                env=environment,
                cwd=self._folder,
                stdout=log,
                stderr=log,
            )
        self._running.append(process)
        return process

    def end(self) -> None:
        for process in self._running:
            process.kill()
            process.wait(10)
