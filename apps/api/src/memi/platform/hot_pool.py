"""Connections for hot statements: one round trip each, with as little around it as can be.

asyncpg's own pool costs a task, a timer and a proxy object for every use, which together are a third of what a prepared
read costs. This one hands plain connections to one statement at a time, last used first.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

import asyncpg
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql import Executable
from sqlalchemy.sql.elements import ClauseElement

from memi.platform.errors import ServiceBusy

if TYPE_CHECKING:
    Connection = asyncpg.Connection[Any]
else:
    Connection = asyncpg.Connection
# SQLSTATE classes after which a server says no more: lost connections, shutdowns and crashes, broken internals.
_GOODBYES = ("08", "57P", "58", "XX")
Connect = Callable[[], Awaitable["Connection"]]


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
    """At most `size` connections, opened when needed; each statement is its own transaction."""

    def __init__(self, connect: Connect, size: int, wait: float) -> None:
        self._connect = connect
        self._size = size
        self._wait = wait
        self._idle: list[Connection] = []
        self._open = 0
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._closed = False

    async def fetch(self, sql: str, *arguments: object) -> list[Any]:
        """All rows; `ServiceBusy` when no connection comes free within the configured wait (seconds)."""
        connection = self._take() or await self._acquire()
        try:
            rows = await connection.fetch(sql, *arguments)
        except asyncpg.PostgresError as error:
            # The server answered: the statement failed and the connection is in order, unless that was a goodbye.
            if str(getattr(error, "sqlstate", "")).startswith(_GOODBYES):
                self._discard(connection)
            else:
                self._give_back(connection)
            raise
        except BaseException:
            # Cancelled or broken in the middle: nobody can say what this connection would read next.
            self._discard(connection)
            raise
        self._give_back(connection)
        return rows

    async def run(self, statement: HotStatement, **parameters: object) -> list[Any]:
        """All rows of a compiled statement."""
        return await self.fetch(statement.sql, *statement.arguments(parameters))

    def usage(self) -> tuple[int, int]:
        """(connections in use, limit)."""
        return self._open - len(self._idle), self._size

    async def close(self) -> None:
        """Close what is idle; connections in use close when they are given back."""
        self._closed = True
        while self._idle:
            connection = self._idle.pop()
            self._open -= 1
            try:
                await connection.close(timeout=2)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection.terminate()

    def _take(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
            self._open -= 1
        return None

    async def _acquire(self) -> Connection:
        """Open another connection, or wait for one."""
        deadline = asyncio.get_running_loop().time() + self._wait
        while True:
            connection = self._take()
            if connection is not None:
                return connection
            if self._open < self._size:
                return await self._open_one()
            await self._wait_for_turn(deadline)

    async def _open_one(self) -> Connection:
        self._open += 1
        try:
            return await self._connect()
        except BaseException:
            self._open -= 1
            self._wake_one()
            raise

    async def _wait_for_turn(self, deadline: float) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout_at(deadline):
                await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled():
                self._wake_one()  # it was our turn, which now is the next one's
            if isinstance(error, TimeoutError):
                raise ServiceBusy("No database connection came free in time.") from None
            raise

    def _give_back(self, connection: Connection) -> None:
        if self._closed or connection.is_closed():
            self._discard(connection)
            return
        self._idle.append(connection)
        self._wake_one()

    def _discard(self, connection: Connection) -> None:
        connection.terminate()
        self._open -= 1
        self._wake_one()

    def _wake_one(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
