"""The WebSocket endpoint."""

from typing import Any

from litestar import Router, WebSocket, websocket
from litestar.datastructures import State

from memi.platform.browser import BrowserCookies
from memi.platform.client_address import client_address
from memi.platform.limits import RateLimited
from memi.platform.runtime import Runtime
from memi.realtime.conversation import Conversation
from memi.realtime.doorway import knock, turn_away
from memi.realtime.frames import SUBPROTOCOL
from memi.realtime.hub import Hub


@websocket("/ws")
async def serve_socket(socket: WebSocket[Any, Any, State]) -> None:
    """Speak `memi.v1`; see docs/realtime.md. Clients that offer only other protocols are refused at the handshake."""
    runtime: Runtime = socket.app.state.runtime
    offered = socket.scope["subprotocols"]
    if offered and SUBPROTOCOL not in offered:
        await socket.receive()
        await socket.close()
        return
    hub = runtime.adapters.get(Hub)
    ticket = await knock(socket, runtime, hub.doorway)
    if isinstance(ticket, RateLimited):
        await turn_away(socket, ticket)
        return
    try:
        await socket.accept(subprotocols=SUBPROTOCOL if offered else None)
        address = client_address(socket.scope, runtime.settings)
        conversation = Conversation(hub, socket.receive, socket.send, address=address, on_signed_in=ticket.leave)
        await conversation.run(socket.headers.get("authorization"), _cookie_token(socket, runtime))
    finally:
        ticket.leave()


def _cookie_token(socket: WebSocket[Any, Any, State], runtime: Runtime) -> str | None:
    """The access token that a browser sent along, if the page that opened the socket is one of ours.

    A browser sends its cookies whoever wrote the page; a foreign page's socket is one that has not signed in.
    """
    browser = runtime.adapters.get(BrowserCookies)
    if not browser.knows_origin(socket.headers.get("origin")):
        return None
    return browser.access_of(socket.headers.get("cookie", "").encode("latin-1"))


router = Router("", route_handlers=[serve_socket], opt={"public": True})
