"""What the tests of usage share."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
import pytest

from memi.listings.viewing import count_views
from memi.platform.runtime import Runtime
from memi.usage.recorder import Recorder
from support.people import Person
from support.sql import Sql

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0"}
PHONE = {"User-Agent": "memi/1.0 (Android 16; Pixel)"}
Events = Callable[..., Awaitable[list[dict[str, Any]]]]


class Visits:
    """Reads pages as visitors do, and looks at what became of it."""

    def __init__(self, client: httpx.AsyncClient, runtime: Runtime, sql: Sql) -> None:
        self.client = client
        self.runtime = runtime
        self.recorder = runtime.adapters.get(Recorder)
        self.sql = sql

    async def read(self, listing_id: str, by: Person | None = None, **options: Any) -> httpx.Response:
        headers = {**BROWSER, **(by.headers if by else {}), **options.pop("headers", {})}
        return await self.client.get(f"/api/v1/listings/{listing_id}", headers=headers, **options)

    async def search(self, by: Person | None = None, **asked: Any) -> httpx.Response:
        headers = {**BROWSER, **(by.headers if by else {})}
        return await self.client.get("/api/v1/listings", params=asked, headers=headers)

    async def of_listing(self, listing_id: str) -> list[dict[str, Any]]:
        """What was recorded of a listing, the first first; what waited is written."""
        await self.recorder.flush()
        return await self.sql.rows("SELECT * FROM usage_events WHERE listing_id = $1 ORDER BY at, id", UUID(listing_id))

    async def of_search(self, search_id: str) -> list[dict[str, Any]]:
        await self.recorder.flush()
        return await self.sql.rows("SELECT * FROM usage_events WHERE search_id = $1 ORDER BY at, id", UUID(search_id))

    async def count(self, listing_id: str) -> int:
        """The views that the listing's page tells of, once all are counted."""
        await self.recorder.flush()
        await count_views.run(self.runtime)
        reply = await self.client.get(f"/api/v1/listings/{listing_id}", headers={"User-Agent": "Googlebot/2.1"})
        assert reply.status_code == 200, reply.text
        return reply.json()["view_count"]


@pytest.fixture(scope="module")
async def visits(client: httpx.AsyncClient, runtime: Runtime, sql: Sql) -> Visits:
    return Visits(client, runtime, sql)
