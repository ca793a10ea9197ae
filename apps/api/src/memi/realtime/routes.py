"""The WebSocket endpoint."""

from typing import Any

from litestar import Router, WebSocket, websocket
from litestar.datastructures import State

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
    await conversation.run(socket.headers.get("authorization"))


router = Router("", route_handlers=[serve_socket], opt={"public": True})
