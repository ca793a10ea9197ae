"""The sockets of this process: who is connected, what is pushed to them, and which commands they may give."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from memi.platform import metrics
from memi.platform.principal import AccessTokens, SessionCheck
from memi.platform.pubsub import Broker
from memi.platform.settings import Settings
from memi.platform.validation import RequestModel
from memi.realtime import frames
from memi.realtime.connection import Connection
from memi.realtime.doorway import Doorway
from memi.realtime.frames import CloseCode
from memi.realtime.pulling import PullLoop, Source
from memi.realtime.watch import SESSIONS_TOPIC, SessionWatch

M = TypeVar("M", bound=RequestModel)
Handler = Callable[[Connection, M], Awaitable[Any]]


@dataclass(frozen=True)
class RegisteredCommand:
    """`run` validated data; what it returns becomes the ack's data, what it raises the error."""

    model: type[RequestModel]
    run: Handler[Any]


class Hub:
    """Knows no feature: sources bring events, features register their commands. Runs in API processes only."""

    def __init__(self, settings: Settings, tokens: AccessTokens, check: SessionCheck, broker: Broker) -> None:
        self.settings = settings
        self.tokens = tokens
        self.check = check
        self.commands: dict[str, RegisteredCommand] = {}
        self.doorway = Doorway()
        self._broker = broker
        self._by_user: dict[UUID, set[Connection]] = {}
        self._loops: list[PullLoop] = []
        self._watch = SessionWatch(self, check)
        broker.subscribe(SESSIONS_TOPIC, self._watch.poke)

    def add_source(self, source: Source) -> None:
        """Serve a source's events; call before the hub runs."""
        loop = PullLoop(_WhileConnected(source, self), self.settings.realtime_poll_seconds)
        self._loops.append(loop)
        self._broker.subscribe(source.topic, loop.poke)

    def register_command(self, name: str, model: type[M], handler: Handler[M]) -> None:
        """Let sockets call `handler` with data of `model`; it opens its own unit of work."""
        if name in self.commands:
            raise ValueError(f"there are two commands {name}")
        self.commands[name] = RegisteredCommand(model, handler)

    def connected_users(self) -> set[UUID]:
        """People with a socket in this process."""
        return set(self._by_user)

    def connections(self) -> list[Connection]:
        return [connection for connections in self._by_user.values() for connection in connections]

    def connections_of(self, user_id: UUID) -> Iterable[Connection]:
        """This process's sockets of one person."""
        return self._by_user.get(user_id, ())

    def push(self, user_ids: Iterable[UUID], type: str, data: object) -> None:
        """Send an event to every socket that these people have in this process."""
        frame = frames.event(type, data)
        for user_id in user_ids:
            for connection in tuple(self.connections_of(user_id)):
                connection.send(frame)

    def poke(self, topic: str, key: str) -> None:
        """Have this process's source of `topic` read what is new under `key`."""
        for loop in self._loops:
            if loop.source.topic == topic:
                loop.poke(key)

    def may_open(self, user_id: UUID) -> bool:
        """Whether the person may have one more socket in this process."""
        return len(self._by_user.get(user_id, ())) < self.settings.sockets_per_user

    def suspect(self, connection: Connection) -> None:
        """Check its session once more: it may have ended while nobody knew of the socket yet."""
        self._watch.poke(str(connection.user_id))

    async def attach(self, connection: Connection, ready: str) -> None:
        """Take a signed-in socket up: from `ready` on it gets every event of its owner."""
        self._by_user.setdefault(connection.user_id, set()).add(connection)
        metrics.SOCKETS.inc()
        self.suspect(connection)
        for loop in self._loops:
            await loop.source.attach(connection)
        connection.start(ready)

    def detach(self, connection: Connection) -> None:
        """Forget a socket."""
        sockets = self._by_user.get(connection.user_id)
        if sockets is None or connection not in sockets:
            return
        sockets.discard(connection)
        metrics.SOCKETS.dec()
        if not sockets:
            del self._by_user[connection.user_id]

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Serve sockets for as long as the block lasts; at its end those that are left are closed."""
        tasks = [asyncio.create_task(loop.run(), name=f"realtime {loop.source.topic}") for loop in self._loops]
        tasks += [asyncio.create_task(run(), name="realtime sessions") for run in (self._watch.tick, self._watch.run)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for connection in self.connections():
                connection.close(CloseCode.TRY_LATER)


class _WhileConnected:
    """A source that is asked for nothing while nobody is connected."""

    def __init__(self, source: Source, hub: Hub) -> None:
        self.topic = source.topic
        self._source = source
        self._hub = hub

    async def attach(self, connection: Connection) -> None:
        await self._source.attach(connection)

    async def pull(self, keys: set[str] | None) -> None:
        if self._hub.connected_users():
            await self._source.pull(keys)
