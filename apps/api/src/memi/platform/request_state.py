"""What the gateway knows of a request, kept in its ASGI scope."""

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.principal import Principal
from memi.platform.time_limit import TimeLimit
from memi.platform.unit_of_work import OpenUnit

_KEY = "memi"


class KeepsReply(Protocol):
    async def keep(self, session: AsyncSession, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bool:
        """Store the reply in the session's transaction, if it is one to be repeated; whether it did."""
        ...


@dataclass(slots=True)
class RequestState:
    request_id: str
    conflict: bool = False
    """The database gave the transaction up for another's sake: the gateway runs the request again."""
    disconnected: bool = False
    """The client left before its whole body had come."""
    unit: OpenUnit | None = None
    """The request's unit of work, once asked for; the gateway commits it before the reply is sent."""
    principal: Principal | None = None
    checked: bool = False
    streamed: bool = False
    """The body goes through as it comes: it is not kept, so the request cannot be run again."""
    time_limit: TimeLimit | None = None
    by_cookie: bool = False
    """Who calls was read from a cookie, which a browser sends whoever wrote the page."""
    limits: list[tuple[bytes, bytes]] | None = None
    """How the caller stands with the limits of this route, once the call was counted; it is counted once."""
    idempotency: KeepsReply | None = None
    """The request came under an Idempotency-Key: its reply is stored with its effect."""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list[tuple[bytes, bytes]])
    """What the gateway adds to the reply's headers."""

    def stream_body(self, seconds: float) -> None:
        """Take a large body without keeping it, and give it `seconds` to arrive; call before reading any of it."""
        self.streamed = True
        if self.time_limit is not None:
            self.time_limit.extend(seconds)


def state_of(scope: MutableMapping[str, Any] | Any) -> RequestState:
    """The state the gateway set; a bare one outside of it."""
    state = scope.get(_KEY)
    if state is None:
        state = scope[_KEY] = RequestState("-")
    return state


def set_state(scope: MutableMapping[str, Any], state: RequestState) -> None:
    scope[_KEY] = state
