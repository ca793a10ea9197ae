"""What the gateway knows of a request, kept in its ASGI scope."""

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from memi.platform.principal import Principal
from memi.platform.unit_of_work import OpenUnit

_KEY = "memi"


@dataclass
class RequestState:
    request_id: str
    conflict: bool = False
    """The database gave the transaction up for another's sake: the gateway runs the request again."""
    unit: OpenUnit | None = None
    """The request's unit of work, once asked for; the gateway commits it before the reply is sent."""
    principal: Principal | None = None
    checked: bool = False


def state_of(scope: MutableMapping[str, Any] | Any) -> RequestState:
    """The state the gateway set; a bare one outside of it."""
    state = scope.get(_KEY)
    if state is None:
        state = scope[_KEY] = RequestState("-")
    return state


def set_state(scope: MutableMapping[str, Any], state: RequestState) -> None:
    scope[_KEY] = state
