"""A server process of its own, for what only shows from outside: real sockets, memory, signals."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from memi.platform.settings import Settings


class Server:
    """A running API; `base_url` without a trailing slash."""

    def __init__(self, process: asyncio.subprocess.Process, base_url: str) -> None:
        self._process = process
        self.base_url = base_url

    def memory(self) -> int:
        """Resident memory now, in bytes; also where `peak` starts from."""
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")
        return self._status("VmRSS")

    def peak(self) -> int:
        """The most memory resident since `memory` was asked last, in bytes."""
        return self._status("VmHWM")

    def _status(self, name: str) -> int:
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


@asynccontextmanager
async def running_server(settings: Settings, port: int, **environment: Any) -> AsyncGenerator[Server]:
    """The API with the settings' database and data folder, in one process on `port`."""
    assert settings.database_url is not None
    memi = {
        "MEMI_ENV": "test",
        "MEMI_DATA_DIR": str(settings.data_dir),
        "MEMI_DATABASE_URL": settings.database_url.get_secret_value(),
        "MEMI_PORT": str(port),
        "MEMI_ACCESS_LOG": "none",
        **environment,
    }
    command = ["-m", "uvicorn", "memi.cli.serving:create", "--factory", "--port", str(port), "--no-access-log"]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        cwd=settings.data_dir,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(item for item in sys.path if item), **memi},
    )
    try:
        server = Server(process, f"http://127.0.0.1:{port}")
        await _until_ready(server.base_url, process)
        yield server
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _until_ready(base_url: str, process: asyncio.subprocess.Process) -> None:
    async with httpx.AsyncClient() as client, asyncio.timeout(60):
        while True:
            assert process.returncode is None, "the server ended"
            try:
                if (await client.get(f"{base_url}/health/ready")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
