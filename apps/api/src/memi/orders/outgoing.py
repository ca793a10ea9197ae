"""Asking the payments service: through the breaker, a few at a time, every attempt on record."""

import random
from datetime import timedelta
from uuid import UUID

import structlog

from memi.orders import payment_queries, queries
from memi.orders.breaker import Breaker
from memi.orders.payments import Answer, Call, Payment, Refused, Unavailable, payments_of
from memi.platform import metrics
from memi.platform.health import Dependency
from memi.platform.ids import new_id
from memi.platform.jobs import Postponed
from memi.platform.runtime import Runtime

log = structlog.get_logger(__name__)
_AT_ONCE = 8
"""Fewer than a worker runs jobs, so that a service that hangs leaves places for everything else."""
_LONGEST_DELAY = 60.0
_TIRED_AFTER = timedelta(days=7)


class Outgoing:
    """One per process."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._breaker = Breaker(runtime.settings)
        self._running = 0

    async def ask(self, call: Call) -> Payment:
        """Ask once, holding no connection meanwhile.

        Raises `Postponed` while the service cannot be used. What uses up the job's attempts, so that it ends among the
        dead jobs: `Refused`, and `Unavailable` after a week.
        """
        if self._running >= _AT_ONCE:
            raise Postponed(timedelta(seconds=random.uniform(0.2, 1)), "others are asking")  # noqa: S311  # spreads
        self._running += 1
        try:
            return await self._ask(call)
        finally:
            self._running -= 1

    async def _ask(self, call: Call) -> Payment:
        attempt_id = new_id()
        number = 0
        async with self._runtime.unit_of_work() as session:
            await queries.lock(session, call.order_id)  # one after the other, so that attempts are numbered
            wait = await self._breaker.admit(session)
            if wait is None:
                number = await payment_queries.begin_attempt(session, attempt_id, call.order_id, call.purpose)
        if wait is not None:
            spread = random.uniform(0, self._runtime.settings.payments_breaker_seconds / 2)  # noqa: S311
            raise Postponed(timedelta(seconds=wait + spread), "the breaker is open")
        with structlog.contextvars.bound_contextvars(
            order_id=str(call.order_id), purpose=call.purpose, payment_attempt=str(attempt_id), number=number
        ):
            found: Answer | Refused | Unavailable
            try:
                found = await payments_of(self._runtime.adapters).ask(call, attempt_id)
            except (Refused, Unavailable) as error:
                found = error
            tired = await self._record(call, attempt_id, found)
        if isinstance(found, Unavailable):
            if tired:
                raise found
            delay = min(_LONGEST_DELAY, 2.0 ** min(number, 6)) * random.uniform(0.75, 1.25)  # noqa: S311
            raise Postponed(timedelta(seconds=max(delay, found.wait_seconds or 0)), str(found)) from found
        if isinstance(found, Refused):
            raise found
        return found.payment

    async def _record(self, call: Call, attempt_id: UUID, found: Answer | Refused | Unavailable) -> bool:
        """Whether this has been tried in vain for so long that somebody should look."""
        outcome = "answered" if isinstance(found, Answer) else "refused"
        if isinstance(found, Unavailable):
            outcome = found.failure
        detail = None if isinstance(found, Answer) else str(found)[:200]
        metrics.PAYMENT_CALLS.labels(call.purpose, outcome).inc()
        log.info("payments_asked", outcome=outcome, status=found.status, detail=detail)
        async with self._runtime.unit_of_work() as session:
            await payment_queries.end_attempt(session, attempt_id, outcome, found.status or None, detail)
            if not isinstance(found, Unavailable):
                await self._breaker.answered(session)
                return False
            await self._breaker.failed(session)
            return await payment_queries.asked_for_long(session, call.order_id, call.purpose, _TIRED_AFTER)

    async def check(self) -> Dependency:
        """For `/health`: what the last calls found out. Nobody is asked for it."""
        if not payments_of(self._runtime.adapters).configured:
            return Dependency("off", None)
        async with self._runtime.unit_of_work() as session:
            standing = await self._breaker.standing(session)
            latency = await payment_queries.last_latency_ms(session)
        if standing.state == "open":
            return Dependency("down", None, f"circuit breaker open for {standing.wait:.0f} s more; orders wait")
        if standing.state == "half_open":
            return Dependency("degraded", None, "circuit breaker half open: the next call shows whether it is back")
        return Dependency("up", latency, "circuit breaker closed")
