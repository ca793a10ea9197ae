"""Connections: an SQLAlchemy engine for units of work and an asyncpg pool of its own for hot statements."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import asyncpg
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from memi.platform.hot_pool import HotPool
from memi.platform.settings import Settings

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Every table of memi hangs from this one metadata; Alembic compares it with the database."""

    metadata = MetaData(naming_convention=NAMING)


@dataclass(frozen=True)
class Database:
    url: str
    engine: AsyncEngine
    hot: HotPool
    hot_by_value: HotPool
    """For hot statements whose best plan depends on the values asked for: they are planned each time."""
    sessions: async_sessionmaker[AsyncSession] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sessions", async_sessionmaker(self.engine, expire_on_commit=False))

    async def close(self) -> None:
        await self.hot.close()
        await self.hot_by_value.close()
        await self.engine.dispose()


def driver_url(url: str) -> str:
    """`postgresql://…` as SQLAlchemy's asyncpg dialect wants it."""
    return url.replace("postgresql://", "postgresql+asyncpg://", 1).replace("postgres://", "postgresql+asyncpg://", 1)


async def connect(settings: Settings, url: str) -> Database:
    """Open both pools; raises what the driver raises when the database is not there."""
    options = {
        "application_name": "memi",
        "jit": "off",
        "timezone": "UTC",
        "statement_timeout": str(int(settings.statement_timeout * 1000)),
        "idle_in_transaction_session_timeout": str(int(settings.request_seconds * 2000)),
    }

    async def open_connection(**more: str) -> "asyncpg.Connection[Any]":
        return await asyncpg.connect(
            url, server_settings={**options, **more}, timeout=settings.pool_wait, max_cached_statement_lifetime=0
        )

    hot = HotPool(open_connection, settings.hot_pool, settings.pool_wait)
    by_value = HotPool(
        partial(open_connection, plan_cache_mode="force_custom_plan"), settings.hot_pool, settings.pool_wait
    )
    await hot.fetch("SELECT 1")
    engine = create_async_engine(
        driver_url(url),
        pool_size=settings.database_pool,
        max_overflow=0,
        pool_timeout=settings.pool_wait,
        pool_pre_ping=False,
        hide_parameters=True,  # errors are logged, and parameters are people's words and secrets
        isolation_level="READ COMMITTED",
        connect_args={"server_settings": options},
    )
    return Database(url, engine, hot, by_value)
