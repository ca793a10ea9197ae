"""The one commit: per HTTP request, per socket command, per job."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.adapters import Adapters
from memi.platform.database import Database
from memi.platform.events import EventBus, put_pending, take_pending
from memi.platform.job_queue import enqueue_durable
from memi.platform.pubsub import JOBS_TOPIC, Broker

_POKES = "memi.pokes"
_ADAPTERS = "memi.adapters"


def adapters_of(session: AsyncSession) -> Adapters:
    """The process's adapters, for services that a session reaches but a runtime does not."""
    return session.info[_ADAPTERS]


def poke_after_commit(session: AsyncSession, topic: str, key: str) -> None:
    """Have every process told, once this unit has committed, that there is something new under `topic`, `key`."""
    session.info.setdefault(_POKES, {})[topic, key] = None


def forget_told(session: AsyncSession) -> None:
    """Drop what was to be told: what it was about has been undone."""
    take_pending(session)
    session.info.pop(_POKES, None)


@asynccontextmanager
async def part_of(session: AsyncSession) -> AsyncGenerator[None]:
    """A part of a unit of work: when it raises, it alone is undone, with what it was about to tell."""
    earlier: dict[object, UUID] = take_pending(session)
    pokes: dict[tuple[str, str], None] = dict(session.info.get(_POKES, {}))
    put_pending(session, dict(earlier))
    try:
        async with session.begin_nested():
            yield
    except BaseException:
        put_pending(session, earlier)
        session.info[_POKES] = pokes
        raise


class OpenUnit:
    """One transaction being worked on. Take the session, then `commit`; always `close`."""

    def __init__(self, session: AsyncSession, bus: EventBus, broker: Broker) -> None:
        self.session = session
        self._bus = bus
        self._broker = broker

    async def commit(self) -> None:
        """Tell the events, make everything last, and poke the other processes."""
        session = self.session
        durable = await self._bus.settle(session)
        if durable:
            await enqueue_durable(session, durable)
            poke_after_commit(session, JOBS_TOPIC, "")
        pokes: dict[tuple[str, str], None] = session.info.pop(_POKES, {})
        await session.commit()
        for topic, key in pokes:
            self._broker.publish(topic, key)

    async def close(self) -> None:
        """Give the connection back; what was not committed never happened."""
        await self.session.close()


class UnitOfWork:
    """Opens transactions: `async with unit_of_work() as session` commits whole at the end of the block, or nothing."""

    def __init__(self, database: Database, bus: EventBus, broker: Broker, adapters: Adapters) -> None:
        self._database = database
        self._adapters = adapters
        self._bus = bus
        self._broker = broker

    def open(self) -> OpenUnit:
        """A unit whose owner commits it; takes no connection before its first statement."""
        session = self._database.sessions()
        session.info[_ADAPTERS] = self._adapters
        return OpenUnit(session, self._bus, self._broker)

    @asynccontextmanager
    async def __call__(self) -> AsyncGenerator[AsyncSession]:
        unit = self.open()
        try:
            yield unit.session
            await unit.commit()
        finally:
            await unit.close()


def is_conflict(error: BaseException) -> bool:
    """Whether the database gave this transaction up for another's sake, so that running it again may succeed."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, asyncpg.SerializationError | asyncpg.DeadlockDetectedError)
    return getattr(error.orig, "sqlstate", None) in ("40001", "40P01")
