"""A process with the plug-ins that a test module names as PACKAGES, found as any others are."""

import importlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any
from uuid import UUID

import pytest

from memi import wiring
from memi.intelligence.buffer import VerdictBuffer
from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from support.plugins import Package
from support.sql import Sql
from support.talks import talks as talks

Verdicts = Callable[..., Awaitable[list[dict[str, Any]]]]


@pytest.fixture(scope="module")
def plugged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    packages: list[Package] = getattr(request.module, "PACKAGES", [])  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    folder = tmp_path_factory.mktemp("plugins")
    for package in packages:
        package.install(folder)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    yield
    sys.path.remove(str(folder))
    for package in packages:
        sys.modules.pop(package.module, None)


@pytest.fixture(scope="module")
async def runtime(settings: Settings, database_urls: EmbeddedUrls, plugged: None) -> AsyncIterator[Runtime]:
    async with wiring.open_runtime(settings, database_urls.app) as opened:
        yield opened


@pytest.fixture
def verdicts(sql: Sql, runtime: Runtime) -> Verdicts:
    """What was written down about a subject, the oldest first."""

    async def read(subject_id: str, port: str | None = None) -> list[dict[str, Any]]:
        await runtime.adapters.get(VerdictBuffer).flush()
        return await sql.rows(
            "SELECT port, plugin, plugin_version, subject_type, user_id::text, outcome, verdict::text, took_ms"
            " FROM intelligence_verdicts WHERE subject_id = $1 AND ($2::text IS NULL OR port = $2) ORDER BY id",
            UUID(subject_id),
            port,
        )

    return read
