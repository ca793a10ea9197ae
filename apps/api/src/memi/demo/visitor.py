"""A person at their device: the API over HTTP, and live events over a WebSocket."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
from websockets.asyncio.client import ClientConnection, connect

Json = dict[str, Any]
_PATIENCE_SECONDS = 20.0


class WrongAnswer(Exception):
    """The service answered other than it must; the message says what was asked and what came."""


def expect(holds: bool, what: str) -> None:
    """Raise `WrongAnswer` unless it holds."""
    if not holds:
        raise WrongAnswer(what)


class Visitor:
    """Someone who calls the API, signed in after `register` or `login`."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.id = ""
        self._token: str | None = None

    async def register(self, name: str) -> None:
        account = {"email": f"{uuid4().hex}@memi.example", "password": uuid4().hex, "name": name, "city": "BAKU"}
        self._signed_in(await self.call("POST", "/auth/register", account, status=201))

    async def login(self, email: str, password: str) -> None:
        self._signed_in(await self.call("POST", "/auth/login", {"email": email, "password": password}))

    def _signed_in(self, reply: Json) -> None:
        self.id, self._token = reply["user"]["id"], reply["access_token"]

    async def call(self, method: str, path: str, body: Any = None, *, status: int = 200, **query: Any) -> Json:
        """The reply's JSON ({} when empty); raises `WrongAnswer` when the status is another."""
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        reply = await self.http.request(method, f"/api/v1{path}", json=body, headers=headers, params=_query(query))
        expect(reply.status_code == status, f"{method} {path}: {reply.status_code} instead of {status}: {reply.text}")
        return reply.json() if reply.content else {}

    async def refused(self, method: str, path: str, body: Any = None, *, status: int, code: str) -> None:
        """The call must be refused with this status and code."""
        problem = await self.call(method, path, body, status=status)
        expect(problem.get("code") == code, f"{method} {path}: code {problem.get('code')} instead of {code}")

    async def eventually(self, path: str, found: Callable[[Json], Any], what: str, **query: Any) -> Any:
        """Ask until `found` gives something true of the reply; for what a worker does in the background."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            result = found(await self.call("GET", path, **query))
            if result:
                return result
            expect(time.monotonic() < deadline, f"{what}: not within {_PATIENCE_SECONDS:.0f} s")
            await asyncio.sleep(0.2)

    async def upload(self, filename: str, picture: bytes) -> str:
        """Announce, put, complete, and wait until the picture can be shown; its id."""
        announced = {"filename": filename, "content_type": "image/jpeg", "size": len(picture)}
        ticket = await self.call("POST", "/uploads", announced, status=201)
        put = await self.http.request(ticket["method"], ticket["url"], headers=ticket["headers"], content=picture)
        expect(put.is_success, f"PUT of the picture: {put.status_code}: {put.text}")
        await self.call("POST", f"/uploads/{ticket['id']}/complete", status=202)

        def ready(upload: Json) -> bool:
            expect(upload["status"] != "REJECTED", f"the picture was refused: {upload.get('code')}")
            return upload["status"] == "READY" and bool(upload["renditions"])

        await self.eventually(f"/uploads/{ticket['id']}", ready, "the picture is processed")
        return str(ticket["id"])

    async def notified(self, event: str, about: str) -> None:
        """A notification of `event` whose data mentions the id `about` must come."""

        def found(page: Json) -> bool:
            return any(item["event"] == event and about in item["data"].values() for item in page["items"])

        await self.eventually("/notifications", found, f"notification {event}")

    @asynccontextmanager
    async def online(self) -> AsyncGenerator["Live"]:
        """A signed-in WebSocket."""
        url = str(self.http.base_url.join("/api/v1/ws")).replace("http", "ws", 1)
        async with connect(url, subprotocols=["memi.v1"], open_timeout=10) as socket:  # pyright: ignore[reportArgumentType]  # Subprotocol is a NewType of str
            live = Live(socket)
            await live.send("auth", {"access_token": self._token})
            ready = await live.event("ready", lambda _: True)
            expect(ready["user_id"] == self.id, f"the socket is ready for {ready['user_id']}")
            yield live


def _query(values: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items()}


class Live:
    """An open socket; frames are kept until somebody asks for them."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._kept: list[Json] = []
        self._last_id = 0

    async def send(self, kind: str, data: Json, id: str | None = None) -> None:
        await self._socket.send(json.dumps({"type": kind, "data": data, **({"id": id} if id else {})}))

    async def command(self, kind: str, data: Json) -> Json:
        """Send a command; the data of its `ack`. Raises `WrongAnswer` on an `error`."""
        self._last_id += 1
        wanted = str(self._last_id)
        await self.send(kind, data, wanted)
        frame = await self._next(lambda item: item.get("id") == wanted, f"answer to {kind}")
        expect(frame["type"] == "ack", f"{kind} was refused: {frame}")
        return frame["data"]

    async def event(self, kind: str, fits: Callable[[Json], bool]) -> Json:
        """The data of the next event of this kind that fits."""
        frame = await self._next(lambda item: item["type"] == kind and fits(item["data"]), f"event {kind}")
        return frame["data"]

    def unread(self, kind: str) -> list[Json]:
        """Data of events of this kind that came and were not asked for."""
        return [item["data"] for item in self._kept if item["type"] == kind]

    async def _next(self, fits: Callable[[Json], bool], what: str) -> Json:
        for item in self._kept:
            if fits(item):
                self._kept.remove(item)
                return item
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while True:
                    frame: Json = json.loads(await self._socket.recv())
                    if fits(frame):
                        return frame
                    self._kept.append(frame)
        except TimeoutError:
            raise WrongAnswer(f"no {what} within {_PATIENCE_SECONDS:.0f} s") from None
