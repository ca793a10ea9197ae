"""Background jobs: typed payloads, run at least once by a worker, so each is idempotent."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.job_queue import insert_jobs
from memi.platform.pubsub import JOBS_TOPIC
from memi.platform.runtime import Runtime
from memi.platform.unit_of_work import poke_after_commit

P = TypeVar("P", bound=msgspec.Struct)


class Postponed(Exception):
    """Raised by a job that cannot be done now through no fault of its own: it runs again later, its attempts all left.

    A job that raises this says itself when enough is enough.
    """

    def __init__(self, delay: timedelta, because: str) -> None:
        super().__init__(because)
        self.delay = delay


@dataclass(frozen=True)
class Job(Generic[P]):
    """Opens its own units of work; raises to be tried again later."""

    name: str
    payload: type[P]
    run: Callable[[P, Runtime], Awaitable[None]]


@dataclass(frozen=True)
class RecurringJob:
    """Runs about every `every`, in one worker at a time however many there are."""

    name: str
    every: timedelta
    run: Callable[[Runtime], Awaitable[None]]


def job(payload: type[P]) -> Callable[[Callable[[P, Runtime], Awaitable[None]]], Job[P]]:
    """Declare a background job; its name is its module and function."""
    return lambda run: Job(_name(run), payload, run)


def recurring(every: timedelta) -> Callable[[Callable[[Runtime], Awaitable[None]]], RecurringJob]:
    """Declare a job that repeats."""
    return lambda run: RecurringJob(_name(run), every, run)


def _name(function: Callable[..., Any]) -> str:
    return f"{function.__module__.removeprefix('memi.')}.{function.__qualname__}"


async def enqueue(
    session: AsyncSession, job: Job[P], payload: P, *, delay: timedelta = timedelta(0), key: str | None = None
) -> None:
    """Queue a run with this transaction. While a run with the same `key` waits or runs, another is not queued."""
    full_key = None if key is None else f"{job.name}:{key}"
    await insert_jobs(session, [job.name], [msgspec.json.encode(payload)], [delay.total_seconds()], [full_key])
    if not delay:
        poke_after_commit(session, JOBS_TOPIC, "")
