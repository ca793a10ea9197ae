"""Sockets that nobody has signed in on yet: how often an address may try, and how many it may keep waiting."""

from collections import Counter
from typing import Any

import msgspec
from litestar import WebSocket
from litestar.datastructures import State

from memi.platform.client_address import client_address, limit_key
from memi.platform.limits import Limit, Limiter, RateLimited, count
from memi.platform.problems import MEDIA_TYPE, document
from memi.platform.runtime import Runtime

WAITING_PER_ADDRESS = 50
"""In each process. Signing in takes a moment, so only those who do not mean to stay fill this."""
Socket = WebSocket[Any, Any, State]


class Ticket:
    """A place among an address's sockets that have not signed in."""

    def __init__(self, waiting: Counter[str], key: str) -> None:
        self._waiting: Counter[str] | None = waiting
        self._key = key
        waiting[key] += 1

    def leave(self) -> None:
        """Signed in, or gone; a second time changes nothing."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting[self._key] -= 1
            if not waiting[self._key]:
                del waiting[self._key]


class Doorway:
    """The sockets of this process that have not signed in, by address."""

    def __init__(self) -> None:
        self.waiting: Counter[str] = Counter()

    def enter(self, address: str | None) -> Ticket:
        return Ticket(self.waiting, limit_key(address) if address else "")

    def is_full_for(self, address: str) -> bool:
        return self.waiting[limit_key(address)] >= WAITING_PER_ADDRESS


async def knock(socket: Socket, runtime: Runtime, doorway: Doorway) -> Ticket | RateLimited:
    """Count an attempt to connect: a place, or the refusal if it is one too many or too many others wait there."""
    address = client_address(socket.scope, runtime.settings)
    if address is not None and runtime.adapters.get(Limiter).on:
        try:
            await count(runtime, Limit.SOCKET, address=address)
        except RateLimited as refusal:
            return refusal
        if doorway.is_full_for(address):
            return RateLimited(max(1, round(runtime.settings.socket_auth_seconds)))
    return doorway.enter(address)


async def turn_away(socket: Socket, refusal: RateLimited) -> None:
    """Answer the handshake with the problem, where the server can, instead of opening a socket only to close it."""
    await socket.receive()
    scope: Any = socket.scope
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await socket.close()
        return
    body = msgspec.json.encode(document(refusal, instance=scope["path"], request_id="-"))
    headers = [(b"content-type", MEDIA_TYPE.encode())]
    headers += [(name.lower().encode(), value.encode()) for name, value in refusal.headers.items()]
    start: Any = {"type": "websocket.http.response.start", "status": refusal.status, "headers": headers}
    await socket.send(start)
    end: Any = {"type": "websocket.http.response.body", "body": body}
    await socket.send(end)
