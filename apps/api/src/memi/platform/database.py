"""Connections: an SQLAlchemy engine for units of work and an asyncpg pool of its own for hot statements."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from sqlalchemy import MetaData
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.sql import Executable
from sqlalchemy.sql.elements import ClauseElement

from memi.platform.errors import ServiceBusy
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


class HotStatement:
    """A statement compiled once to driver SQL; asyncpg prepares it once per connection and reuses the plan."""

    def __init__(self, statement: Executable) -> None:
        assert isinstance(statement, ClauseElement)
        compiled: Any = statement.compile(dialect=postgresql.asyncpg.dialect())  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType]  # module is untyped
        self.sql = str(compiled)
        self._order: Sequence[str] = compiled.positiontup or ()
        self._fixed: dict[str, object] = dict(compiled.params)

    def arguments(self, parameters: dict[str, Any]) -> list[Any]:
        """`parameters` by name, in the order the driver wants; literals of the statement are filled in."""
        fixed = self._fixed
        return [parameters[name] if name in parameters else fixed[name] for name in self._order]


class HotPool:
    """Single statements outside any session: each is one round trip and its own transaction."""

    def __init__(self, pool: asyncpg.Pool, wait: float) -> None:
        self._pool = pool
        self._wait = wait

    async def fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        """All rows; `ServiceBusy` when no connection comes free within the configured wait."""
        try:
            connection = await self._pool.acquire(timeout=self._wait)
        except TimeoutError:
            raise ServiceBusy("No database connection came free in time.") from None
        try:
            return await connection.fetch(sql, *arguments)
        finally:
            await self._pool.release(connection)

    async def fetchrow(self, sql: str, *arguments: object) -> asyncpg.Record | None:
        """The first row, or None."""
        rows = await self.fetch(sql, *arguments)
        return rows[0] if rows else None

    async def run(self, statement: HotStatement, **parameters: object) -> list[asyncpg.Record]:
        return await self.fetch(statement.sql, *statement.arguments(parameters))

    def usage(self) -> tuple[int, int]:
        """(connections in use, limit)."""
        return self._pool.get_size() - self._pool.get_idle_size(), self._pool.get_max_size()

    async def close(self) -> None:
        try:
            await asyncio.wait_for(self._pool.close(), 5)
        except TimeoutError:
            self._pool.terminate()


@dataclass(frozen=True)
class Database:
    url: str
    engine: AsyncEngine
    hot: HotPool
    sessions: async_sessionmaker[AsyncSession] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sessions", async_sessionmaker(self.engine, expire_on_commit=False))

    async def close(self) -> None:
        await self.hot.close()
        await self.engine.dispose()


def driver_url(url: str) -> str:
    """`postgresql://…` as SQLAlchemy's asyncpg dialect wants it."""
    return url.replace("postgresql://", "postgresql+asyncpg://", 1).replace("postgres://", "postgresql+asyncpg://", 1)


async def _keep_session_state(_connection: object) -> None:
    """asyncpg would send a RESET after each use; hot statements leave nothing behind, so it is one round trip saved."""


async def connect(settings: Settings, url: str) -> Database:
    """Open both pools; raises what the driver raises when the database is not there."""
    options = {
        "application_name": "memi",
        "jit": "off",
        "timezone": "UTC",
        "statement_timeout": str(int(settings.statement_timeout * 1000)),
        "idle_in_transaction_session_timeout": str(int(settings.request_seconds * 2000)),
    }
    pool = await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=settings.hot_pool,
        reset=_keep_session_state,
        server_settings=options,
        max_inactive_connection_lifetime=300,
    )
    engine = create_async_engine(
        driver_url(url),
        pool_size=settings.database_pool,
        max_overflow=0,
        pool_timeout=settings.pool_wait,
        pool_pre_ping=False,
        isolation_level="READ COMMITTED",
        connect_args={"server_settings": options},
    )
    return Database(url, engine, HotPool(pool, settings.pool_wait))
