"""Requests that nobody answered and holds that nobody used end when their time is over."""

from datetime import timedelta

from memi.platform.jobs import recurring
from memi.platform.runtime import Runtime
from memi.platform.sweeping import expire_due
from memi.reservations import queries, service


@recurring(timedelta(seconds=30))
async def expire_reservations(runtime: Runtime) -> None:
    """By the database's clock."""
    await expire_due(runtime, "reservation", queries.due, service.expire)
