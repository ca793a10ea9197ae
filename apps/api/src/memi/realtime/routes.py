"""The WebSocket endpoint."""

from typing import Any

from litestar import Router, WebSocket, websocket
from litestar.datastructures import State

from memi.platform.browser import BrowserCookies
from memi.platform.runtime import Runtime
from memi.realtime.conversation import Conversation
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
    await socket.accept(subprotocols=SUBPROTOCOL if offered else None)
    conversation = Conversation(runtime.adapters.get(Hub), socket.receive, socket.send)
    await conversation.run(socket.headers.get("authorization"), _cookie_token(socket, runtime))


def _cookie_token(socket: WebSocket[Any, Any, State], runtime: Runtime) -> str | None:
    """The access token that a browser sent along, if the page that opened the socket is one of ours.

    A browser sends its cookies whoever wrote the page; a foreign page's socket is one that has not signed in.
    """
    browser = runtime.adapters.get(BrowserCookies)
    if not browser.knows_origin(socket.headers.get("origin")):
        return None
    return browser.access_of(socket.headers.get("cookie", "").encode("latin-1"))


router = Router("", route_handlers=[serve_socket], opt={"public": True})
