"""Fan-out between processes over LISTEN/NOTIFY: ids only, after the commit, and never trusted to arrive.

Subscribers read the database by their own cursor on every poke, on a timer, and after each reconnect.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime

import asyncpg
import msgspec
import structlog

log = structlog.get_logger(__name__)
CHANNEL = "memi"
BROKER_NAME = "memi broker"
"""How the connection is told apart in pg_stat_activity."""
JOBS_TOPIC = "jobs"
JOBS_CHANNEL = "ch_pgqueuer"
_MAX_KEYS = 100  # 100 uuids under a topic of 30 letters stay below the 8,000 bytes that a NOTIFY may carry
Callback = Callable[[str | None], None]


class Broker:
    """One connection that listens and notifies, reconnecting by itself.

    `publish` never waits: keys are gathered while a NOTIFY is under way, so many commits share one.
    A subscriber is called with a key, or with None after a gap, when anything may have been missed.
    """

    def __init__(self, url: str, *, retry_seconds: float = 0.5) -> None:
        self._url = url
        self._retry = retry_seconds
        self._subscribers: dict[str, list[Callback]] = defaultdict(list)
        self._outgoing: dict[tuple[str, str], None] = {}
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.connected = False

    def subscribe(self, topic: str, callback: Callback) -> None:
        self._subscribers[topic].append(callback)

    def publish(self, topic: str, key: str) -> None:
        """Poke this process at once and the others soon."""
        self._deliver(topic, key)
        self._outgoing[topic, key] = None
        self._wake.set()

    async def start(self) -> None:
        self._tasks = [asyncio.create_task(self._run(), name="broker")]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _deliver(self, topic: str, key: str | None) -> None:
        for callback in self._subscribers.get(topic, ()):
            try:
                callback(key)
            except Exception:
                # The write this tells of is committed: no subscriber's fault may make it look as if it were not.
                log.exception("subscriber_failed", topic=topic)

    def _on_notify(self, connection: asyncpg.Connection, pid: int, _channel: str, payload: object) -> None:
        if pid == connection.get_server_pid():
            return  # what this process published it has delivered to itself already
        for topic, key in msgspec.json.decode(str(payload), type=list[tuple[str, str]]):
            self._deliver(topic, key)

    async def _run(self) -> None:
        while True:
            try:
                connection = await asyncpg.connect(
                    self._url, timeout=5, server_settings={"application_name": BROKER_NAME}
                )
            except (OSError, TimeoutError, asyncpg.PostgresError) as error:
                log.warning("broker_unavailable", error=type(error).__name__)
                await asyncio.sleep(self._retry)
                continue
            try:
                await self._serve(connection)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("broker_connection_lost", error=type(error).__name__)
            finally:
                self.connected = False
                connection.terminate()
            await asyncio.sleep(self._retry)

    async def _serve(self, connection: asyncpg.Connection) -> None:
        lost = asyncio.Event()

        def on_lost(_connection: object) -> None:
            lost.set()
            self._wake.set()

        connection.add_termination_listener(on_lost)
        await connection.add_listener(CHANNEL, self._on_notify)  # pyright: ignore[reportArgumentType]
        self.connected = True
        for topic in list(self._subscribers):
            self._deliver(topic, None)
        while not lost.is_set():
            self._wake.clear()
            await self._send_outgoing(connection)
            with contextlib.suppress(TimeoutError):
                # Not wait_for: before Python 3.12 it may swallow the cancellation that ends this loop.
                async with asyncio.timeout(15):
                    await self._wake.wait()
                continue
            # A quiet connection may be dead without a word; asking it finds out.
            await connection.execute("SELECT 1", timeout=5)

    async def _send_outgoing(self, connection: asyncpg.Connection) -> None:
        while self._outgoing:
            batch = list(self._outgoing)[:_MAX_KEYS]
            others = [item for item in batch if item[0] != JOBS_TOPIC]
            if len(others) < len(batch):
                await connection.execute("SELECT pg_notify($1, $2)", JOBS_CHANNEL, _queue_poke(), timeout=5)
            if others:
                payload = msgspec.json.encode(others).decode()
                await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, payload, timeout=5)
            for item in batch:
                self._outgoing.pop(item, None)


def _queue_poke() -> str:
    """What the queue's own trigger would have sent; the trigger is dropped because it serialises commits."""
    event = {
        "channel": JOBS_CHANNEL,
        "operation": "insert",
        "sent_at": datetime.now(UTC),
        "table": "pgqueuer",
        "type": "table_changed_event",
    }
    return msgspec.json.encode(event).decode()
