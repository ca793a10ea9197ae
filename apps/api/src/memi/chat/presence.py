"""Typing and who is there: told at once to whom it concerns, kept nowhere, lost without harm."""

from uuid import UUID

import msgspec

from memi.chat.reader import Reader
from memi.platform.pubsub import Broker
from memi.realtime.connection import Connection
from memi.realtime.hub import Hub

TYPING_TOPIC = "chat.typing"
PRESENCE_TOPIC = "presence"


class Typing(msgspec.Struct):
    chat_id: UUID
    user_id: UUID


class Presence(msgspec.Struct):
    """The other person of a subscribed chat came online or left."""

    chat_id: UUID
    user_id: UUID
    online: bool


class PresenceBoard:
    """Pokes between processes are `<user>+` (here), `<user>-` (left this process) and `<user>?` (who has them?)."""

    def __init__(self, hub: Hub, broker: Broker) -> None:
        self._hub = hub
        self._broker = broker
        self._watchers: dict[UUID, dict[tuple[Connection, UUID], None]] = {}
        broker.subscribe(PRESENCE_TOPIC, self._on_presence)
        broker.subscribe(TYPING_TOPIC, self._on_typing)

    def arrived(self, connection: Connection, reader: Reader) -> None:
        """A person opened a socket; their first in this process is told."""
        connection.on_close(lambda: self._left(connection, reader))
        if self._count(connection.user_id) == 1:
            self._broker.publish(PRESENCE_TOPIC, f"{connection.user_id}+")

    def watch(self, connection: Connection, chat_id: UUID, other_id: UUID) -> None:
        """Tell this socket when the other person comes and goes, and now if they are there."""
        self._watchers.setdefault(other_id, {})[connection, chat_id] = None
        self._broker.publish(PRESENCE_TOPIC, f"{other_id}?")

    def unwatch(self, connection: Connection, chat_id: UUID, other_id: UUID) -> None:
        watchers = self._watchers.get(other_id)
        if watchers is not None:
            watchers.pop((connection, chat_id), None)
            if not watchers:
                del self._watchers[other_id]

    def watched(self) -> set[tuple[UUID, UUID]]:
        """Who is told of whom in this process, as (watcher, watched)."""
        return {(connection.user_id, other_id) for other_id, found in self._watchers.items() for connection, _ in found}

    def part(self, watcher_id: UUID, watched_id: UUID) -> None:
        """Have the watcher see the other leave, and nothing of them any more."""
        for connection, chat_id in list(self._watchers.get(watched_id, {})):
            if connection.user_id == watcher_id:
                self.unwatch(connection, chat_id, watched_id)
                connection.send_event("presence", Presence(chat_id, watched_id, False))

    def type(self, chat_id: UUID, user_id: UUID, other_id: UUID) -> None:
        """Tell the other person's sockets, wherever they are."""
        self._broker.publish(TYPING_TOPIC, f"{chat_id} {user_id} {other_id}")

    def _left(self, connection: Connection, reader: Reader) -> None:
        for chat_id, other_id in reader.watching.items():
            self.unwatch(connection, chat_id, other_id)
        if self._count(connection.user_id) == 0:
            self._broker.publish(PRESENCE_TOPIC, f"{connection.user_id}-")

    def _count(self, user_id: UUID) -> int:
        return sum(1 for _ in self._hub.connections_of(user_id))

    def _on_presence(self, key: str | None) -> None:
        if key is None:
            return  # what was missed is told again when somebody asks
        user_id, sign = UUID(key[:-1]), key[-1]
        here = self._count(user_id) > 0
        if sign == "?" or (sign == "-" and here):
            if here:
                self._broker.publish(PRESENCE_TOPIC, f"{user_id}+")
            return
        for connection, chat_id in self._watchers.get(user_id, {}):
            connection.send_event("presence", Presence(chat_id, user_id, sign == "+"))

    def _on_typing(self, key: str | None) -> None:
        if key is None:
            return
        chat_id, user_id, other_id = (UUID(part) for part in key.split())
        self._hub.push([other_id], "chat.typing", Typing(chat_id, user_id))
