"""What the tests of sockets share: two API processes on the module's database, which die young."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from support.server import ApiProcess, api_processes
from support.talks import talks as talks

QUICK: dict[str, Any] = {
    "socket_auth_seconds": 1,
    "socket_queue": 64,
    "socket_ping_seconds": 1,
    "socket_dead_seconds": 3,
    "sockets_per_user": 3,
    "realtime_poll_seconds": 0.5,
}


@pytest.fixture(scope="module")
async def apis(database_urls: EmbeddedUrls, settings: Settings, runtime: Runtime) -> AsyncIterator[list[ApiProcess]]:
    """After `runtime`, which makes the key ring that all share."""
    async with api_processes(database_urls, settings, 2, **QUICK) as started:
        yield started
