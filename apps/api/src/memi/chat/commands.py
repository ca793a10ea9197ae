"""What chat lets sockets do, and how it plugs into the hub."""

from typing import Any
from uuid import UUID

import msgspec
from pydantic import ConfigDict

from memi.chat import live_queries, service
from memi.chat.discretion import Discretion
from memi.chat.errors import ChatBlocked, TooManySubscriptions
from memi.chat.guards import participant
from memi.chat.live import CaughtUp, ChatFeed
from memi.chat.presence import PresenceBoard
from memi.chat.reader import Reader
from memi.chat.schemas import ChatRead, FirstMessage, MessageRead, ReadUpTo, Seq
from memi.platform.errors import NotFound
from memi.platform.limits import Limit, count
from memi.platform.runtime import Runtime
from memi.platform.validation import RequestModel
from memi.realtime.connection import Connection
from memi.realtime.hub import Hub

MAX_SUBSCRIPTIONS = 100
_CHAT: Any = "0197a1f0-7c1e-7d30-9a52-3a0f6f6f2b11"


class ChatCommand(RequestModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"chat_id": _CHAT}]})

    chat_id: UUID


class Subscribe(ChatCommand):
    """`after_seq`: the last message the client has; without it nothing is made up for."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"chat_id": _CHAT, "after_seq": 12}]})

    after_seq: Seq | None = None


class Send(FirstMessage):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"chat_id": _CHAT, "body": "Salam!", "client_id": "b6d7a3f0-1"}]}
    )

    chat_id: UUID


class Read(ReadUpTo):
    model_config = ConfigDict(json_schema_extra={"examples": [{"chat_id": _CHAT, "seq": 12}]})

    chat_id: UUID


class Nothing(msgspec.Struct):
    """An empty object."""


class ChatCommands:
    def __init__(self, runtime: Runtime, feed: ChatFeed, presence: PresenceBoard) -> None:
        self._runtime = runtime
        self._feed = feed
        self._presence = presence

    async def subscribe(self, connection: Connection, data: Subscribe) -> CaughtUp:
        """Open a chat: make up for what came before, and hear of typing and presence."""
        reader: Reader = connection.state[ChatFeed]
        if data.chat_id not in reader.watching:
            if len(reader.watching) >= MAX_SUBSCRIPTIONS:
                raise TooManySubscriptions
            found = await live_queries.other_side(self._runtime.database.hot, data.chat_id, connection.user_id)
            if found is None:
                raise NotFound
            reader.watching[data.chat_id] = found.user_id
            if found.shows_presence:
                self._presence.watch(connection, data.chat_id, found.user_id)
        return await self._feed.catch_up(connection, data.chat_id, data.after_seq)

    async def unsubscribe(self, connection: Connection, data: ChatCommand) -> Nothing:
        """Close a chat; its messages keep coming, as those of every chat."""
        reader: Reader = connection.state[ChatFeed]
        other_id = reader.watching.pop(data.chat_id, None)
        if other_id is not None:
            self._presence.unwatch(connection, data.chat_id, other_id)
        return Nothing()

    async def send(self, connection: Connection, data: Send) -> MessageRead:
        account = str(connection.user_id)
        await count(self._runtime, Limit.CHAT_SEND, account=account, address=connection.address)
        return await service.send(self._runtime, connection.user_id, data.chat_id, data.body, data.client_id)

    async def read(self, connection: Connection, data: Read) -> ChatRead:
        async with self._runtime.unit_of_work() as session:
            mine = await participant(session, data.chat_id, connection.user_id)
            return await service.read_up_to(session, mine, data.seq)

    async def type(self, connection: Connection, data: ChatCommand) -> Nothing:
        """Tell the other side that this one is typing."""
        found = await live_queries.other_side(self._runtime.database.hot, data.chat_id, connection.user_id)
        if found is None:
            raise NotFound
        if found.blocked:
            raise ChatBlocked
        self._presence.type(data.chat_id, connection.user_id, found.user_id)
        return Nothing()


def plug_in(runtime: Runtime, hub: Hub) -> None:
    """Give the hub its chat events and commands."""
    feed = ChatFeed(hub, runtime.database.hot)
    presence = PresenceBoard(hub, runtime.broker)
    feed.on_attach(presence.arrived)
    hub.add_source(feed)
    hub.add_source(Discretion(hub, runtime.database.hot, presence))
    commands = ChatCommands(runtime, feed, presence)
    hub.register_command("subscribe", Subscribe, commands.subscribe)
    hub.register_command("unsubscribe", ChatCommand, commands.unsubscribe)
    hub.register_command("chat.send", Send, commands.send)
    hub.register_command("chat.read", Read, commands.read)
    hub.register_command("chat.typing", ChatCommand, commands.type)
