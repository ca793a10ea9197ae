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
from memi.platform.time_limit import TimeLimits

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
    """At most `size` connections, opened when needed; each statement is its own transaction.

    Who comes when all are busy waits in line: a connection goes from hand to hand, and nobody overtakes.
    """

    def __init__(self, connect: Connect, size: int, wait: float) -> None:
        self._connect = connect
        self._size = size
        self._wait = wait
        self._limits = TimeLimits(min(0.5, wait / 4))
        self._idle: list[Connection] = []
        self._open = 0
        self._waiters: deque[asyncio.Future[Connection | None]] = deque()
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
        if self._open < self._size:
            self._open += 1
            return await self._open_one()
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            with self._limits.of(self._wait):
                connection = await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled():
                self._pass_on(waiter.result())  # it was our turn, which now is the next one's
            if isinstance(error, TimeoutError):
                raise ServiceBusy("No database connection came free in time.") from None
            raise
        return connection or await self._open_one()

    async def _open_one(self) -> Connection:
        """Open a connection in a place that is ours."""
        try:
            return await self._connect()
        except BaseException:
            self._pass_on(None)
            raise

    def _give_back(self, connection: Connection) -> None:
        if self._closed or connection.is_closed():
            self._discard(connection)
            return
        self._pass_on(connection)

    def _discard(self, connection: Connection) -> None:
        connection.terminate()
        self._pass_on(None)

    def _pass_on(self, connection: Connection | None) -> None:
        """Hand a connection, or the place of one that is gone, to whoever waits the longest."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        if connection is None:
            self._open -= 1
        else:
            self._idle.append(connection)
