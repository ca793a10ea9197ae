"""What was acknowledged is there, whoever dies: the API's process or PostgreSQL itself."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest

from memi import wiring
from memi.platform.embedded_postgres import EmbeddedPostgres, EmbeddedUrls
from memi.platform.migrations import migrate
from memi.platform.settings import Settings
from support.people import PASSWORD
from support.postgres import kill_postmaster
from support.server import ApiProcess, api_processes
from support.sql import Sql


@dataclass
class Load:
    """Writers that never stop writing, and what they were told."""

    url: str
    acknowledged: list[UUID] = field(default_factory=list[UUID])
    refused: list[httpx.Response] = field(default_factory=list[httpx.Response])
    broken: int = 0
    _stop: bool = False

    async def write(self, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=self.url, headers=headers, timeout=20) as client:
            while not self._stop:
                try:
                    reply = await client.post("/api/v1/listings", json={"title": "Red shoes"})
                except httpx.TransportError:
                    self.broken += 1
                    await asyncio.sleep(0.05)
                    continue
                if reply.status_code == 201:
                    self.acknowledged.append(UUID(reply.json()["id"]))
                else:
                    self.refused.append(reply)
                    await asyncio.sleep(0.05)

    def stop(self) -> None:
        self._stop = True


async def token_from(api: ApiProcess) -> str:
    body = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD, "name": "Nigar"}
    async with httpx.AsyncClient(base_url=api.url, timeout=30) as client:
        reply = await client.post("/api/v1/auth/register", json=body)
    assert reply.status_code == 201, reply.text
    return reply.json()["access_token"]


async def until(condition: object, seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # pyright: ignore[reportCallIssue]
            await asyncio.sleep(0.02)


async def missing(urls: EmbeddedUrls, ids: list[UUID]) -> int:
    async with Sql.connect(urls.migrator) as sql:
        return len(ids) - await sql.value("SELECT count(*) FROM listings WHERE id = ANY ($1::uuid[])", ids)


@pytest.fixture
def postgres() -> Iterator[EmbeddedPostgres]:
    """Durable, as in production."""
    folder = Path(tempfile.mkdtemp(prefix="memi-test-"))
    folder.chmod(0o711)
    server = EmbeddedPostgres(folder / "postgres")
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture
async def durable_urls(postgres: EmbeddedPostgres) -> EmbeddedUrls:
    urls = await asyncio.to_thread(postgres.start)
    await asyncio.to_thread(migrate, urls.migrator, urls.app)
    await wiring.seed_reference(urls.migrator)
    return urls


async def test_a_killed_api_process_loses_no_acknowledged_write(
    database_urls: EmbeddedUrls, settings: Settings
) -> None:
    async with api_processes(database_urls, settings, 1) as (api,):
        load = Load(api.url)
        token = await token_from(api)
        writers = [asyncio.create_task(load.write(token)) for _ in range(6)]
        await until(lambda: len(load.acknowledged) > 60)
        api.kill()
        await until(lambda: load.broken >= 6)
        load.stop()
        await asyncio.gather(*writers)
    assert load.refused == []
    assert await missing(database_urls, load.acknowledged) == 0


async def test_a_killed_postgres_loses_no_acknowledged_write_and_the_api_recovers_by_itself(
    postgres: EmbeddedPostgres, durable_urls: EmbeddedUrls, settings: Settings
) -> None:
    async with api_processes(durable_urls, settings, 1) as (api,):
        load = Load(api.url)
        token = await token_from(api)
        writers = [asyncio.create_task(load.write(token)) for _ in range(6)]
        await until(lambda: len(load.acknowledged) > 40)
        kill_postmaster(postgres)
        await until(lambda: len(load.refused) > 10)
        before = len(load.acknowledged)
        async with httpx.AsyncClient(base_url=api.url) as client:
            assert (await client.get("/health/live")).status_code == 200
            assert (await client.get("/health/ready")).status_code == 503
        again = await asyncio.to_thread(postgres.start)
        assert again.app == durable_urls.app
        await until(lambda: len(load.acknowledged) > before + 40)
        load.stop()
        await asyncio.gather(*writers)
        assert api.process.poll() is None
        async with httpx.AsyncClient(base_url=api.url) as client:
            assert (await client.get("/health/ready")).status_code == 200
    assert load.broken == 0
    assert {reply.status_code for reply in load.refused} == {503}
    assert {reply.headers["content-type"] for reply in load.refused} == {"application/problem+json"}
    assert {reply.json()["code"] for reply in load.refused} <= {"service_busy", "request_timed_out"}
    assert all("retry-after" in reply.headers for reply in load.refused if reply.json()["code"] == "service_busy")
    assert await missing(durable_urls, load.acknowledged) == 0
