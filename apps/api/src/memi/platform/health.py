"""Is it up, can it serve, and what does it measure."""

import asyncio
import hmac
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Literal

import asyncpg
import msgspec
from litestar import Response, get
from litestar.params import HeaderParameter
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from memi.platform import metrics
from memi.platform.dependencies import App
from memi.platform.errors import AppError, NotFound
from memi.platform.limits import Limiter
from memi.platform.limits_valkey import Unreachable
from memi.platform.mail import mailer_of
from memi.platform.readings import Readings
from memi.platform.runtime import Runtime
from memi.platform.version import VERSION

_TIMEOUT = 2.0


class Dependency(msgspec.Struct):
    status: Literal["up", "degraded", "down", "off"]
    latency_ms: float | None
    detail: str | None = None


class FeatureChecks:
    """What features depend on, by name; wiring says which. Asked often, so each is cheap and asks nobody outside."""

    def __init__(self, checks: Mapping[str, Callable[[], Awaitable[Dependency]]]) -> None:
        self._checks = checks

    async def run(self) -> dict[str, Dependency]:
        return {name: await self._one(check) for name, check in self._checks.items()}

    async def _one(self, check: Callable[[], Awaitable[Dependency]]) -> Dependency:
        try:
            async with asyncio.timeout(_TIMEOUT):
                return await check()
        except (OSError, TimeoutError, DBAPIError, PoolTimeoutError) as error:
            return Dependency("down", None, type(error).__name__)


class Health(msgspec.Struct):
    status: Literal["up", "degraded", "down"]
    version: str
    dependencies: dict[str, Dependency]


async def _database(runtime: Runtime) -> Dependency:
    started = time.perf_counter()
    try:
        async with asyncio.timeout(_TIMEOUT):
            await runtime.database.hot.fetch("SELECT 1")
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, AppError) as error:
        return Dependency("down", None, type(error).__name__)
    return Dependency("up", round((time.perf_counter() - started) * 1000, 2))


async def _cache(runtime: Runtime) -> Dependency:
    """Where calls are counted for all processes; while it is away each counts for itself."""
    shared = runtime.adapters.get(Limiter).shared
    if shared is None:
        return Dependency("off", None)
    try:
        return Dependency("up", round(await shared.ping(), 2))
    except Unreachable:
        return Dependency("down", None, "limits are counted by each process alone")


async def _mail(runtime: Runtime) -> Dependency:
    found = await mailer_of(runtime.adapters).check()
    return Dependency("up" if found.up else "down", found.latency_ms, found.detail)


@get("/health", tags=["operations"])
async def health(app: App) -> Response[Health]:
    """The version and each dependency; 503 when the service cannot serve."""
    dependencies = {
        "database": await _database(app),
        "broker": Dependency("up" if app.broker.connected else "down", None),
        "cache": await _cache(app),
        "mail": await _mail(app),
        **await app.adapters.get(FeatureChecks).run(),
    }
    up = dependencies["database"].status == "up"
    whole = all(item.status in ("up", "off") for item in dependencies.values())
    status = "down" if not up else "up" if whole else "degraded"
    return Response(Health(status, VERSION, dependencies), status_code=200 if up else 503)


@get("/health/live", tags=["operations"])
async def live() -> dict[str, str]:
    """The process runs."""
    return {"status": "up"}


@get("/health/ready", tags=["operations"])
async def ready(app: App) -> Response[dict[str, str]]:
    """The process can serve: 503 while the database is not reachable."""
    up = (await _database(app)).status == "up"
    return Response({"status": "up" if up else "down"}, status_code=200 if up else 503)


@get("/metrics", include_in_schema=False)
async def read_metrics(
    app: App, authorization: Annotated[str | None, HeaderParameter(name="Authorization")] = None
) -> Response[bytes]:
    """Prometheus exposition; with `MEMI_METRICS_TOKEN` set it needs that bearer token, in production always."""
    token = app.settings.metrics_token
    if token is None and app.settings.is_production:
        raise NotFound
    if token is not None and not hmac.compare_digest(
        (authorization or "").encode(), f"Bearer {token.get_secret_value()}".encode()
    ):
        raise NotFound
    await app.adapters.get(FeatureChecks).run()  # some set gauges of their own
    await app.adapters.get(Readings).read(app)
    text = await asyncio.to_thread(metrics.render, os.environ.get("PROMETHEUS_MULTIPROC_DIR"))
    return Response(text, media_type="text/plain; version=0.0.4")


HANDLERS = [health, live, ready, read_metrics]
