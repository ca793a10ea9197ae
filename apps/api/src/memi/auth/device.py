"""Where a sign-in comes from."""

from dataclasses import dataclass

from memi.platform.dependencies import AnyRequest

_LONGEST = 400


@dataclass(frozen=True)
class Device:
    user_agent: str | None
    ip: str | None


def device_of(request: AnyRequest) -> Device:
    """What a request tells of the device it comes from."""
    agent = request.headers.get("user-agent", "")[:_LONGEST]
    return Device(agent or None, request.client.host if request.client else None)
