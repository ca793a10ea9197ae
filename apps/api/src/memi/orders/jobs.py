"""Orders that nobody paid or completed end when their time is over."""

from datetime import timedelta

from memi.orders import queries, service
from memi.platform.jobs import recurring
from memi.platform.runtime import Runtime
from memi.platform.sweeping import expire_due


@recurring(timedelta(seconds=30))
async def expire_orders(runtime: Runtime) -> None:
    """By the database's clock."""
    await expire_due(runtime, "order", queries.due, service.expire)
