"""Databases as they were before a change of their form."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg

from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.migrations import migrate


@asynccontextmanager
async def database_at(server: EmbeddedUrls, revision: str) -> AsyncGenerator[tuple[str, str]]:
    """The owner's and the superuser's URL of a new database that has been brought to `revision`."""
    name = f"upgrade_{uuid4().hex[:12]}"
    superuser = await asyncpg.connect(server.superuser)
    owner = await asyncpg.connect(server.migrator)
    await owner.execute(f"CREATE DATABASE {name}")
    await owner.close()
    urls = [url.rsplit("/", 1)[0] + "/" + name for url in (server.migrator, server.superuser)]
    await asyncio.to_thread(migrate, urls[0], server.app, revision)
    yield urls[0], urls[1]
    await superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await superuser.close()
