"""A memi whose limits are on, and what its replies say of them."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from memi import wiring
from memi.app import create_litestar
from memi.platform.gateway import Gateway
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings

_PART = re.compile(r'"([a-z_.]+)"((?:;[a-z]+=\d+)+)').fullmatch


class LimitedApi:
    def __init__(self, runtime: Runtime, gateway: Gateway) -> None:
        self.runtime = runtime
        self._gateway = gateway

    def client(self, address: str = "203.0.113.7", **options: Any) -> httpx.AsyncClient:
        """A client whose connections come from `address`."""
        transport = httpx.ASGITransport(self._gateway, raise_app_exceptions=False, client=(address, 4711))  # pyright: ignore[reportArgumentType]
        return httpx.AsyncClient(transport=transport, base_url="http://test/api/v1", **options)


@asynccontextmanager
async def limited_api(settings: Settings, url: str, **changes: Any) -> AsyncIterator[LimitedApi]:
    """The whole application, with limits."""
    own = settings.model_copy(update={"rate_limits": True, **changes})
    async with wiring.open_runtime(own, url) as runtime:
        app = create_litestar(own, lambda: wiring.already_open(runtime))
        async with app.lifespan():
            yield LimitedApi(runtime, Gateway(app, own))  # pyright: ignore[reportArgumentType]


def told(reply: httpx.Response, header: str = "ratelimit") -> dict[str, dict[str, int]]:
    """The parameters of each limit that a reply names; fails on anything but the draft's syntax."""
    found: dict[str, dict[str, int]] = {}
    for part in reply.headers[header].split(", "):
        match = _PART(part)
        assert match, part
        found[match[1]] = {
            name: int(value) for name, _, value in (item.partition("=") for item in match[2][1:].split(";"))
        }
    return found
