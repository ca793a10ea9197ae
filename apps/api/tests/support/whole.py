"""A real API process and a real worker on the tests' database, with packages of their own to find."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.settings import Settings
from support.people import Person
from support.server import ApiProcess, api_processes


@dataclass
class Whole:
    api: ApiProcess
    worker: subprocess.Popen[bytes]
    client: httpx.AsyncClient
    log: Path

    def person(self, person: Person) -> Person:
        """The same person, calling the API process."""
        return replace(person, client=self.client)

    async def timed(self, person: Person, method: str, path: str, json: Any = None) -> tuple[httpx.Response, float]:
        """The reply, and how many seconds it took."""
        began = time.monotonic()
        options = {} if json is None else {"json": json}
        reply = await self.person(person).request(method, path, **options)
        return reply, time.monotonic() - began

    def exit_code(self) -> int:
        """Of the worker, told to end."""
        self.worker.terminate()
        return self.worker.wait(30)


@asynccontextmanager
async def whole(urls: EmbeddedUrls, like: Settings, packages: Path | None, **settings: object) -> AsyncGenerator[Whole]:
    """Run both until the end of the block; `packages` is a folder as `pip install --target` leaves it."""
    before = os.environ.get("PYTHONPATH")
    if packages is not None:
        os.environ["PYTHONPATH"] = str(packages)
    try:
        async with api_processes(urls, like, 1, **settings) as [api], httpx.AsyncClient(base_url=api.url) as client:
            worker, log = _worker(urls, like, settings)
            try:
                yield Whole(api, worker, client, log)
            finally:
                if worker.poll() is None:
                    worker.kill()
                    worker.wait(10)
    finally:
        if before is None:
            os.environ.pop("PYTHONPATH", None)
        else:
            os.environ["PYTHONPATH"] = before


def _worker(urls: EmbeddedUrls, like: Settings, settings: dict[str, object]) -> tuple[subprocess.Popen[bytes], Path]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MEMI_")}
    environment.update({f"MEMI_{name.upper()}": str(value) for name, value in settings.items()})
    environment.update(
        MEMI_ENV="test",
        MEMI_DATA_DIR=str(like.data_dir),
        MEMI_DATABASE_URL=urls.app,
        MEMI_MIGRATOR_DATABASE_URL=urls.migrator,
        MEMI_JOB_POLL_SECONDS="0.2",
    )
    log = like.data_dir / f"worker-{time.monotonic_ns()}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "memi.cli.main", "worker"],
            env=environment,
            cwd=like.data_dir,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return process, log


async def until(check: Any, seconds: float = 30) -> None:
    """Wait for `check()` to come true."""
    async with asyncio.timeout(seconds):
        while not await check():
            await asyncio.sleep(0.1)
