"""Counting calls in a Valkey (or Redis) that all processes share, with a circuit breaker for when it is away."""

import asyncio
import time
from typing import Any, cast

import structlog
from limits import RateLimitItem
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from memi.platform.limits_store import Standing, standing

log = structlog.get_logger(__name__)
ANSWER_SECONDS = 0.2
"""What a call waits for an answer, altogether, before it is counted in this process alone."""
_CONNECTIONS = 32
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
_SOUND_AFTER = 30.0
"""A Valkey that fails again sooner than this after it came back is left alone for longer each time."""
_SCHEMES = {"valkey": "redis", "valkeys": "rediss"}
_FAILURES = (RedisError, OSError, TimeoutError)


class Unreachable(Exception):
    """The shared counters cannot be had now; count in this process."""


class ValkeyCounter:
    """While it is closed, the breaker lets calls through; the first failure opens it, for all. Then no call waits any
    more: a task of its own asks until Valkey answers again."""

    def __init__(self, url: str, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        scheme, separator, rest = url.partition("://")
        pool = BlockingConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType]  # half typed
            _SCHEMES.get(scheme, scheme) + separator + rest,
            max_connections=_CONNECTIONS,
            timeout=answer_seconds,
            socket_timeout=answer_seconds,
            socket_connect_timeout=answer_seconds,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        # The library reads no URL without a port; the pool, which is all that connects, does.
        self._storage = RedisStorage(
            "async+redis://", implementation="redispy", key_prefix="memi:limits", connection_pool=cast("Any", pool)
        )
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)
        self._pool = pool
        self._answer_seconds = answer_seconds
        self._probing: asyncio.Task[None] | None = None
        self._pause = _FIRST_PAUSE
        self._back_at = 0.0

    @property
    def reachable(self) -> bool:
        """Whether calls are counted here now."""
        return self._probing is None

    async def take(self, item: RateLimitItem, key: str) -> Standing:
        """Count one call for all processes; raises `Unreachable`, at once while the breaker is open."""
        if self._probing is not None:
            raise Unreachable
        seconds = item.get_expiry()
        try:
            async with asyncio.timeout(self._answer_seconds):
                allowed = await self._limiter.hit(item, key)
                window = await self._storage.get_sliding_window(item.key_for(key), seconds)
        except _FAILURES as error:
            self._open(error)
            raise Unreachable from None
        return standing(allowed, item.amount, seconds, window)

    async def ping(self) -> float:
        """Milliseconds it takes to answer; raises `Unreachable`."""
        if self._probing is not None:
            raise Unreachable
        try:
            return await self._ask()
        except _FAILURES as error:
            self._open(error)
            raise Unreachable from None

    async def aclose(self) -> None:
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)
        await self._pool.aclose()

    async def _ask(self) -> float:
        started = time.perf_counter()
        async with asyncio.timeout(self._answer_seconds):
            await self._storage.bridge.get_connection().ping()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
        return (time.perf_counter() - started) * 1000

    def _open(self, error: BaseException) -> None:
        if self._probing is not None:
            return
        relapsed = time.monotonic() - self._back_at < _SOUND_AFTER
        self._pause = min(self._pause * 2, _LONGEST_PAUSE) if relapsed and self._back_at else _FIRST_PAUSE
        log.warning("valkey_unreachable", error=type(error).__name__, counting="in this process")
        self._probing = asyncio.create_task(self._probe(), name="valkey probe")

    async def _probe(self) -> None:
        while True:
            await asyncio.sleep(self._pause)
            try:
                await self._ask()
            except _FAILURES:
                continue
            self._back_at = time.monotonic()
            self._probing = None
            log.info("valkey_back", counting="in Valkey")
            return
