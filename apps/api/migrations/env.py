"""Alembic's environment: async engine, one transaction for the whole upgrade, grants after it."""

import asyncio
from typing import Any

from alembic import context
from sqlalchemy import Connection, pool
from sqlalchemy.ext.asyncio import create_async_engine

from memi import wiring
from memi.platform.database import Base, driver_url
from memi.platform.grants import grant_to_service

wiring.load_models()
config = context.config


def _run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=Base.metadata, compare_server_default=True)
    with context.begin_transaction():
        # Two processes may start at once; the second waits and then finds nothing to do.
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7236421)")
        context.run_migrations()
        app_role: Any = config.attributes.get("app_role")
        if app_role:
            grant_to_service(connection, app_role)


async def _run_online() -> None:
    engine = create_async_engine(driver_url(config.attributes["url"]), poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(_run)
    await engine.dispose()


asyncio.run(_run_online())
