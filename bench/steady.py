"""Ask at a fixed rate, whatever the answers do: `python -m bench.steady URL RATE SECONDS CONNECTIONS PATHS`.

Latency counts from when a request was meant to go out, so a server that falls behind is charged for all who waited.
Writes [[seconds since the start, milliseconds], ...] and the number of failures to standard output, as JSON. The clock
is the machine's, so that another process can say when something happened.
"""

import asyncio
import json
import re
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvloop

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_LINGER = 5.0


class _Line(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._buffer = b""
        self._need = 0
        self._meant_at = 0.0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def ask(self, request: bytes, meant_at: float) -> None:
        assert self.transport is not None
        self._meant_at = meant_at
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._need:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            length = _LENGTH.search(self._buffer, 0, end)
            assert length is not None
            self._need = end + 4 + int(length[1])
        if len(self._buffer) >= self._need:
            good = self._buffer.startswith(b"HTTP/1.1 200")
            self._buffer, self._need = b"", 0
            self._load.answered(self, self._meant_at, good)


class Load:
    def __init__(self, requests: list[bytes]) -> None:
        self._requests = requests
        self._idle: deque[_Line] = deque()
        self._late: deque[float] = deque()
        self._left = 0
        self._done = asyncio.Event()
        self._number = 0
        self.failures = 0
        self.latencies: list[tuple[float, float]] = []
        self.started = 0.0

    async def run(self, host: str, port: int, rate: float, seconds: float, *, connections: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            _, line = await loop.create_connection(lambda: _Line(self), host, port)
            self._idle.append(line)
        self.started = time.time()
        meant = self._left = int(rate * seconds)
        for number in range(meant):
            due = self.started + number / rate
            if (ahead := due - time.time()) > 0:
                await asyncio.sleep(ahead)
            if self._idle:
                self._send(self._idle.popleft(), due)  # in turns: a server closes what stays idle
            else:
                self._late.append(due)
        try:
            async with asyncio.timeout(_LINGER):
                await self._done.wait()
        except TimeoutError:
            self.failures += self._left

    def answered(self, line: _Line, meant_at: float, good: bool) -> None:
        self.latencies.append((meant_at, (time.time() - meant_at) * 1000))
        self.failures += not good
        self._left -= 1
        if not self._left:
            self._done.set()
        if self._late:
            self._send(line, self._late.popleft())
        else:
            self._idle.append(line)

    def _send(self, line: _Line, meant_at: float) -> None:
        line.ask(self._requests[self._number % len(self._requests)], meant_at)
        self._number += 1


def main(url: str, rate: str, seconds: str, connections: str, paths: str) -> None:
    parts = urlsplit(url)
    host, port = str(parts.hostname), int(parts.port or 80)
    lines = Path(paths).read_text().split()
    requests = [f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode() for path in lines]
    load = Load(requests)
    uvloop.run(load.run(host, port, float(rate), float(seconds), connections=int(connections)))
    json.dump({"failures": load.failures, "latencies": load.latencies}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
