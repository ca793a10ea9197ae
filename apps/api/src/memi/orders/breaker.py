"""The circuit breaker before the payments service.

Closed, everybody asks. After so many failures in a row it opens, and nobody does for a while; then it is half open: one
asks, and what comes of that closes it or opens it again. Jobs run in other processes than those that answer `/health`,
so where it stands is a row of the database, by the database's clock.
"""

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from memi.orders import payment_queries as queries
from memi.orders.payment_queries import Standing
from memi.platform import metrics
from memi.platform.settings import Settings

log = structlog.get_logger(__name__)
_STATES = ("closed", "open", "half_open")


class Breaker:
    def __init__(self, settings: Settings) -> None:
        self._failures = settings.payments_breaker_failures
        self._pause = settings.payments_breaker_seconds
        # A probe whose process died is given up after this, and another may try.
        self._probe_seconds = settings.payments_timeout + 5.0

    async def admit(self, session: AsyncSession) -> float | None:
        """None to ask now; else the seconds after which asking may be of use."""
        standing = await queries.standing(session)
        if standing.state == "closed":
            return None
        if standing.state == "half_open" and await queries.claim_probe(session, self._probe_seconds):
            return None
        return max(standing.wait, min(1.0, self._pause))

    async def answered(self, session: AsyncSession) -> None:
        """The service works, whether or not it did as it was asked."""
        if await queries.count_answer(session):
            log.info("payments_answer_again")

    async def failed(self, session: AsyncSession) -> None:
        """It was of no use."""
        if await queries.count_failure(session, self._failures, self._pause):
            metrics.PAYMENT_BREAKER_OPENED.inc()
            log.warning("payments_breaker_opened", failures=self._failures, seconds=self._pause)

    async def standing(self, session: AsyncSession) -> Standing:
        """How it stands, told to the metrics too."""
        standing = await queries.standing(session)
        for state in _STATES:
            metrics.PAYMENT_BREAKER.labels(state).set(state == standing.state)
        return standing
