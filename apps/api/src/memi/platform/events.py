"""Events: how a feature tells those above it what happened.

`@in_transaction` handlers run inside the writer's transaction. `@durable` handlers become job rows of that same
transaction and run later, at least once, with their effect applied once per (event, handler).
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.ids import new_id

E = TypeVar("E")
Handler = Callable[[E, AsyncSession], Awaitable[None]]
BatchHandler = Callable[[Sequence[E], AsyncSession], Awaitable[None]]
_PENDING = "memi.events"
_MAX_ROUNDS = 20


@dataclass(frozen=True)
class Subscription:
    """A handler and what it listens to; `name` is stable, because job rows carry it."""

    name: str
    event: type[Any]
    kind: Literal["in_transaction", "in_transaction_batch", "durable"]
    handler: Callable[[Any, AsyncSession], Awaitable[None]]

    async def __call__(self, event: object, session: AsyncSession) -> None:
        await self.handler(event, session)


def in_transaction(event: type[E]) -> Callable[[Handler[E]], Subscription]:
    """Run inside the writer's transaction: one set-based statement or two, no waiting on anything else."""
    return lambda handler: Subscription(_name(handler), event, "in_transaction", handler)


def in_transaction_batch(event: type[E]) -> Callable[[BatchHandler[E]], Subscription]:
    """Like `in_transaction`, given all events of one kind together, after the single ones: many cost what one does."""
    return lambda handler: Subscription(_name(handler), event, "in_transaction_batch", handler)


def durable(event: type[E]) -> Callable[[Handler[E]], Subscription]:
    """Run in a worker after the commit, in a transaction of its own that also records that it ran."""
    return lambda handler: Subscription(_name(handler), event, "durable", handler)


def _name(handler: Callable[..., object]) -> str:
    return f"{handler.__module__.removeprefix('memi.')}.{handler.__qualname__}"


def publish(session: AsyncSession, event: object) -> None:
    """Tell that `event` happened; handled before this unit of work commits. An equal event is told once."""
    pending: dict[object, UUID] = session.info.setdefault(_PENDING, {})
    # The last mention wins its place, so that a handler sees what all earlier events of the unit led to.
    pending[event] = pending.pop(event, None) or new_id()


def take_pending(session: AsyncSession) -> dict[object, UUID]:
    """The events published since the last call, oldest first, with their ids."""
    return session.info.pop(_PENDING, {})


def put_pending(session: AsyncSession, events: dict[object, UUID]) -> None:
    """Have exactly these events wait to be told."""
    session.info[_PENDING] = events


@dataclass(frozen=True)
class DurableJob:
    """A durable handler's run to be: goes to the queue as one row."""

    name: str
    payload: bytes


class EventBus:
    """All subscriptions, by event type.

    Those of `dormant` modules hear of nothing new, and so cost nothing; what was queued for them before still runs.
    """

    def __init__(self, modules: Iterable[ModuleType], dormant: Collection[ModuleType] = ()) -> None:
        self.subscriptions: list[Subscription] = []
        self._by_type: dict[type, list[Subscription]] = {}
        for module in modules:
            found = [item for item in vars(module).values() if isinstance(item, Subscription)]
            self.subscriptions += found
            for item in found if module not in dormant else ():
                self._by_type.setdefault(item.event, []).append(item)

    async def settle(self, session: AsyncSession) -> list[DurableJob]:
        """Run the in-transaction handlers until no new event comes; returns the durable runs to enqueue."""
        jobs: list[DurableJob] = []
        for _ in range(_MAX_ROUNDS):
            pending = take_pending(session)
            if not pending:
                return jobs
            await session.flush()
            for event, event_id in pending.items():
                for item in self._by_type.get(type(event), ()):
                    if item.kind == "in_transaction":
                        await item(event, session)
                jobs.extend(self.durable_jobs(event, event_id))
            await self._run_batches(pending, session)
        raise RuntimeError(f"events still being published after {_MAX_ROUNDS} rounds: a handler loops")

    async def _run_batches(self, pending: Iterable[object], session: AsyncSession) -> None:
        together: dict[type, list[object]] = {}
        for event in pending:
            together.setdefault(type(event), []).append(event)
        for kind, events in together.items():
            for item in self._by_type.get(kind, ()):
                if item.kind == "in_transaction_batch":
                    await item(events, session)

    def durable_jobs(self, event: object, event_id: UUID | None = None) -> list[DurableJob]:
        """The rows a write must insert when it tells of `event` without a session."""
        listeners = [item for item in self._by_type.get(type(event), ()) if item.kind == "durable"]
        if not listeners:
            return []
        payload = msgspec.json.encode(Envelope(event_id or new_id(), msgspec.Raw(msgspec.json.encode(event))))
        return [DurableJob(item.name, payload) for item in listeners]


class Envelope(msgspec.Struct, frozen=True):
    """A durable job's payload."""

    event_id: UUID
    event: msgspec.Raw
