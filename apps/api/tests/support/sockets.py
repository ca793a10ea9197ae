"""A client of memi's WebSocket that keeps every event, so that a test can say which must have come."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from support.people import Person


class Socket:
    """Signed in; `events` holds what came unasked, replies go to whoever asked."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.events: list[dict[str, Any]] = []
        self.log: list[dict[str, Any]] = []
        self._next = 0
        self._replies: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._read())

    async def call(self, type: str, **data: Any) -> dict[str, Any]:
        """Send a command and wait for the whole reply frame."""
        self._next += 1
        id = str(self._next)
        reply = self._replies[id] = asyncio.get_running_loop().create_future()
        await self.connection.send(json.dumps({"id": id, "type": type, "data": data}))
        return await asyncio.wait_for(reply, 10)

    async def ack(self, type: str, **data: Any) -> dict[str, Any]:
        """The data of the ack; fails the test on an error."""
        reply = await self.call(type, **data)
        assert reply["type"] == "ack", reply
        return reply["data"]

    async def error(self, type: str, **data: Any) -> dict[str, Any]:
        reply = await self.call(type, **data)
        assert reply["type"] == "error", reply
        return reply["data"]

    def of(self, type: str) -> list[dict[str, Any]]:
        return [event["data"] for event in self.events if event["type"] == type]

    def seqs(self, chat_id: str) -> list[int]:
        """Numbers of the messages of a chat that came as events, in the order they came."""
        return [message["seq"] for message in self.of("message.created") if message["chat_id"] == chat_id]

    async def until(self, condition: Any, seconds: float = 5) -> None:
        """Wait for `condition()`; fails the test with what did come."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(
                f"it did not come within {seconds} s; what came: {str(self.log[-20:])[:2000]}"
            ) from None

    async def close_code(self, seconds: float = 5) -> int:
        """Wait for the server to close."""
        await asyncio.wait_for(asyncio.shield(self._task), seconds)
        code = self.connection.close_code
        assert code is not None
        return code

    async def _read(self) -> None:
        try:
            async for text in self.connection:
                frame = json.loads(text)
                self.log.append(frame)
                if "id" in frame and frame["id"] in self._replies:
                    self._replies.pop(frame["id"]).set_result(frame)
                else:
                    self.events.append(frame)
                self._changed.set()
        except ConnectionClosed:
            pass  # `close_code` tells with which code

    async def stop(self) -> None:
        await self.connection.close()
        await asyncio.gather(self._task, return_exceptions=True)


@asynccontextmanager
async def raw_socket(url: str, **options: Any) -> AsyncIterator[ClientConnection]:
    """A socket that has said nothing yet."""
    options = {"subprotocols": ["memi.v1"], "compression": None, "proxy": None, **options}
    async with connect(url, **options) as connection:
        yield connection


@asynccontextmanager
async def open_socket(url: str, person: Person, **options: Any) -> AsyncIterator[Socket]:
    """A socket signed in by its first frame, `ready` received."""
    async with raw_socket(url, **options) as connection:
        await connection.send(json.dumps({"type": "auth", "data": {"access_token": person.access_token}}))
        ready = json.loads(await asyncio.wait_for(connection.recv(), 10))
        assert ready["type"] == "ready", ready
        assert UUID(ready["data"]["user_id"]) == UUID(person.id)
        socket = Socket(connection)
        try:
            yield socket
        finally:
            await socket.stop()
