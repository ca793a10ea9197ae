"""Where a sign-in comes from."""

from dataclasses import dataclass

from memi.platform.client_address import client_address
from memi.platform.dependencies import AnyRequest, runtime_of

_LONGEST = 400


@dataclass(frozen=True)
class Device:
    user_agent: str | None
    ip: str | None


def device_of(request: AnyRequest) -> Device:
    """What a request tells of the device it comes from."""
    agent = request.headers.get("user-agent", "")[:_LONGEST]
    return Device(agent or None, client_address(request.scope, runtime_of(request).settings))
