"""Real API processes on one database, for what only shows between processes."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.settings import Settings

_START_SECONDS = 60.0


@dataclass
class ApiProcess:
    """One server process; everything goes to it over TCP."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    @property
    def socket_url(self) -> str:
        return self.url.replace("http://", "ws://", 1) + "/api/v1/ws"

    def kill(self) -> None:
        """As a crash: nothing is flushed, nobody is told."""
        self.process.kill()
        self.process.wait(10)

    def terminate(self) -> None:
        """As a deploy: SIGTERM, without waiting for the end."""
        self.process.send_signal(signal.SIGTERM)

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def memory(self) -> int:
        """Resident memory now, in bytes; also where `peak` starts from. Linux only."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        return self._status("VmRSS")

    def peak(self) -> int:
        """The most memory resident since `memory` was asked last, in bytes."""
        return self._status("VmHWM")

    def _status(self, name: str) -> int:
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _start(urls: EmbeddedUrls, like: Settings, **settings: object) -> ApiProcess:
    port = _free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MEMI_")}
    settings = {"rate_limits": "off", **settings}  # all tests come from one address
    environment["MEMI_RATE_LIMITS"] = "off"  # unless the test is about them
    environment.update({f"MEMI_{name.upper()}": str(value) for name, value in settings.items()})
    environment.update(
        MEMI_ENV="test",
        MEMI_DATA_DIR=str(like.data_dir),
        MEMI_DATABASE_URL=urls.app,
        MEMI_MIGRATOR_DATABASE_URL=urls.migrator,
        MEMI_PORT=str(port),
        MEMI_PUBLIC_URL=like.base_url,  # with the key ring in the data folder: tokens of one are good for all
        MEMI_ACCESS_LOG="none",
    )
    log = like.data_dir / f"api-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", "from memi.cli.main import main; main()", "serve"],
            env=environment,
            cwd=like.data_dir,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return ApiProcess(process, f"http://127.0.0.1:{port}", log)


async def _wait_until_ready(api: ApiProcess) -> None:
    async with httpx.AsyncClient() as client, asyncio.timeout(_START_SECONDS):
        while True:
            if api.process.poll() is not None:
                raise RuntimeError(f"the API ended with {api.process.returncode}:\n{api.output()[-4000:]}")
            try:
                if (await client.get(f"{api.url}/health/ready")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)


@asynccontextmanager
async def api_processes(
    urls: EmbeddedUrls, like: Settings, number: int, **settings: object
) -> AsyncIterator[list[ApiProcess]]:
    """Run `number` API processes until the end of the block; accounts made in a process `like` them are theirs too."""
    started: list[ApiProcess] = []
    try:
        started.extend(_start(urls, like, **settings) for _ in range(number))
        for api in started:
            await _wait_until_ready(api)
        yield started
    finally:
        for api in started:
            if api.process.poll() is None:
                api.terminate()
        for api in started:
            try:
                api.process.wait(15)
            except subprocess.TimeoutExpired:
                api.kill()
