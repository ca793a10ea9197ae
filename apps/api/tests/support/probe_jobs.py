"""Events, handlers and jobs that do as the test says."""

from dataclasses import dataclass
from datetime import timedelta

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.events import durable, in_transaction, publish
from memi.platform.jobs import Postponed, job, recurring
from memi.platform.runtime import Runtime

ran: list[str] = []
failures: dict[str, int] = {}
"""How often each name fails before it succeeds."""


@dataclass(frozen=True)
class Noted:
    name: str


@dataclass(frozen=True)
class Refused:
    name: str


@dataclass(frozen=True)
class Endless:
    number: int


class Payload(msgspec.Struct):
    name: str


async def write(session: AsyncSession, name: str) -> None:
    await session.execute(text("INSERT INTO probe_effects (name) VALUES (:name)"), {"name": name})


@in_transaction(Noted)
async def note_along(event: Noted, session: AsyncSession) -> None:
    await write(session, f"along:{event.name}")


@durable(Noted)
async def note_later(event: Noted, session: AsyncSession) -> None:
    await write(session, f"later:{event.name}")
    _fail_if_told(event.name)


@in_transaction(Refused)
async def refuse(event: Refused, _session: AsyncSession) -> None:
    raise PermissionError(event.name)


@in_transaction(Endless)
async def go_on(event: Endless, session: AsyncSession) -> None:
    publish(session, Endless(event.number + 1))


@job(Payload)
async def work(payload: Payload, runtime: Runtime) -> None:
    ran.append(payload.name)
    async with runtime.unit_of_work() as session:
        await write(session, f"job:{payload.name}")
    _fail_if_told(payload.name)


@job(Payload)
async def put_off(payload: Payload, runtime: Runtime) -> None:
    """Not now, as often as `failures` says."""
    ran.append(payload.name)
    if failures.get(payload.name, 0) > 0:
        failures[payload.name] -= 1
        raise Postponed(timedelta(hours=1), "told to")


@recurring(timedelta(seconds=30))
async def tick(runtime: Runtime) -> None:
    async with runtime.unit_of_work() as session:
        await write(session, "tick")


def _fail_if_told(name: str) -> None:
    if failures.get(name, 0) > 0:
        failures[name] -= 1
        raise ConnectionError("told to")
