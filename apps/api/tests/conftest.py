"""One embedded PostgreSQL for the run, one migrated template, one database cloned from it per test module."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest

from memi import parts, wiring
from memi.app import create_litestar
from memi.platform.embedded_postgres import EmbeddedPostgres, EmbeddedUrls
from memi.platform.gateway import Gateway
from memi.platform.job_runner import JobRunner
from memi.platform.migrations import migrate
from memi.platform.runtime import Runtime
from memi.platform.settings import Environment, Settings
from support.people import People
from support.sql import Sql

TEMPLATE = "memi_template"


def with_database(url: str, name: str) -> str:
    """The same server and role, another database."""
    return url.rsplit("/", 1)[0] + "/" + name


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedUrls]:
    """A PostgreSQL of this run's own. Durability is off: only tests that kill things start one with it on."""
    folder = Path(tempfile.mkdtemp(prefix="memi-test-"))
    folder.chmod(0o711)  # as root the server runs as nobody, who must be able to pass through
    postgres = EmbeddedPostgres(
        folder / "postgres",
        settings={"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "300"},
    )
    yield postgres.start()
    postgres.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def template(server: EmbeddedUrls) -> str:
    """The name of a migrated and seeded database that nothing is connected to."""

    async def make() -> None:
        connection = await asyncpg.connect(server.migrator)
        await connection.execute(f"CREATE DATABASE {TEMPLATE}")
        await connection.close()

    asyncio.run(make())
    migrate(with_database(server.migrator, TEMPLATE), server.app)
    asyncio.run(wiring.seed_reference(with_database(server.migrator, TEMPLATE)))
    return TEMPLATE


@pytest.fixture(scope="module")
async def database_urls(server: EmbeddedUrls, template: str) -> AsyncIterator[EmbeddedUrls]:
    """URLs, by role, of this module's own database."""
    name = f"test_{uuid4().hex[:12]}"
    admin = await asyncpg.connect(server.migrator)
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield EmbeddedUrls(
            app=with_database(server.app, name),
            migrator=with_database(server.migrator, name),
            superuser=with_database(server.superuser, name),
        )
    finally:
        await admin.close()
        # Only a superuser may end the last connections of tests that were superusers themselves.
        superuser = await asyncpg.connect(server.superuser)
        await superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await superuser.close()


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, database_urls: EmbeddedUrls) -> Settings:
    """Quick polls, so that nothing waits for a timer."""
    return Settings(
        _env_file=None,
        env=Environment.TEST,
        data_dir=tmp_path_factory.mktemp("data"),
        database_url=database_urls.app,  # pyright: ignore[reportArgumentType]
        access_log="none",
        rate_limits=False,
        job_poll_seconds=0.2,
        realtime_poll_seconds=0.3,
    )


@pytest.fixture(scope="module")
async def runtime(settings: Settings, database_urls: EmbeddedUrls) -> AsyncIterator[Runtime]:
    async with wiring.open_runtime(settings, database_urls.app) as opened:
        yield opened


@pytest.fixture(scope="module")
async def client(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    """The whole application in this process, called as a browser's or app's HTTP client would, signed in as nobody."""
    app = create_litestar(runtime.settings, lambda: wiring.already_open(runtime))
    async with app.lifespan():
        transport = httpx.ASGITransport(Gateway(app, runtime.settings), raise_app_exceptions=False)  # pyright: ignore[reportArgumentType]
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as opened:
            yield opened


@pytest.fixture(scope="module")
async def people(client: httpx.AsyncClient, runtime: Runtime) -> People:
    """Makes accounts and signs them in."""
    return People(client, runtime)


@pytest.fixture
def run_jobs(runtime: Runtime) -> Callable[[], Awaitable[None]]:
    """Run every due job, and what those cause, until the queue is empty."""

    async def run() -> None:
        await JobRunner(runtime, parts.JOBS).drain()

    return run


@pytest.fixture(scope="module")
async def sql(database_urls: EmbeddedUrls) -> AsyncIterator[Sql]:
    """Look at, and tamper with, the module's database as its owner."""
    async with Sql.connect(database_urls.migrator) as opened:
        yield opened


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the working tree."""
    return Path(__file__).parents[3]
