"""How often one may call what: the one table of limits, and the guard that routes declare them with."""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from limits import RateLimitItem, RateLimitItemPerSecond
from litestar.handlers import BaseRouteHandler

from memi.platform import metrics
from memi.platform.client_address import client_address, limit_key
from memi.platform.dependencies import (
    READS_VIEWER,
    Connection,
    asks_for_caller,
    checked_principal,
    principal_of,
    runtime_of,
)
from memi.platform.errors import AppError
from memi.platform.limits_store import Counter, LocalCounter, Standing
from memi.platform.limits_valkey import Unreachable, ValkeyCounter
from memi.platform.request_state import state_of
from memi.platform.runtime import Runtime
from memi.platform.settings import Environment, Settings

MINUTE, HOUR, DAY = 60, 3600, 86_400


class Limit(StrEnum):
    REGISTER = "register"
    LOGIN = "login"
    SECOND_FACTOR = "second_factor"
    REFRESH = "refresh"
    VERIFY = "verify"
    PASSWORD_CHANGE = "password_change"  # noqa: S105  # a name
    PASSWORD_RESET = "password_reset"  # noqa: S105  # a name
    EMAIL_RESEND = "email_resend"
    OAUTH = "oauth"
    CHAT_SEND = "chat_send"
    CHAT_CREATE = "chat_create"
    RESERVATION = "reservation"
    ORDER = "order"
    REPORT = "report"
    UPLOAD = "upload"
    SEARCH = "search"
    SUGGEST = "suggest"
    EXPORT = "export"
    STAFF_EXPORT = "staff_export"
    IMPERSONATE = "impersonate"
    SOCKET = "socket"


Rate = tuple[int, int]
"""(calls, seconds)."""


def _policy(limit: Limit, *, account: Rate | None = None, address: Rate) -> "Policy":
    return Policy(None if account is None else _Rule.of(limit, "account", account), _Rule.of(limit, "address", address))


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    item: RateLimitItem
    header: str

    @classmethod
    def of(cls, limit: Limit, by: str, rate: Rate) -> "_Rule":
        name = f"{limit}.{by}"
        item = RateLimitItemPerSecond(rate[0], rate[1], namespace=name)
        return cls(name, item, f'"{name}";q={rate[0]};w={rate[1]}')

    def times(self, factor: int) -> "_Rule":
        item = RateLimitItemPerSecond(self.item.amount * factor, self.item.multiples, namespace=self.name)
        return _Rule(self.name, item, f'"{self.name}";q={item.amount};w={item.multiples}')


@dataclass(frozen=True, slots=True)
class Policy:
    account: _Rule | None
    """By the account that calls, or that a call without one is about."""
    address: _Rule
    """By the client's address; many people may share one, so it is the wider."""

    def times(self, factor: int) -> "Policy":
        return Policy(None if self.account is None else self.account.times(factor), self.address.times(factor))


POLICIES: dict[Limit, Policy] = {
    Limit.REGISTER: _policy(Limit.REGISTER, address=(30, HOUR)),
    Limit.LOGIN: _policy(Limit.LOGIN, address=(60, 5 * MINUTE)),
    Limit.SECOND_FACTOR: _policy(Limit.SECOND_FACTOR, account=(20, 5 * MINUTE), address=(60, 5 * MINUTE)),
    Limit.REFRESH: _policy(Limit.REFRESH, address=(1200, 5 * MINUTE)),
    Limit.VERIFY: _policy(Limit.VERIFY, account=(30, 10 * MINUTE), address=(60, 10 * MINUTE)),
    Limit.PASSWORD_CHANGE: _policy(Limit.PASSWORD_CHANGE, account=(10, HOUR), address=(60, HOUR)),
    Limit.PASSWORD_RESET: _policy(Limit.PASSWORD_RESET, account=(5, HOUR), address=(30, HOUR)),
    Limit.EMAIL_RESEND: _policy(Limit.EMAIL_RESEND, account=(5, HOUR), address=(30, HOUR)),
    Limit.OAUTH: _policy(Limit.OAUTH, account=(30, 10 * MINUTE), address=(120, 10 * MINUTE)),
    Limit.CHAT_SEND: _policy(Limit.CHAT_SEND, account=(60, MINUTE), address=(600, MINUTE)),
    Limit.CHAT_CREATE: _policy(Limit.CHAT_CREATE, account=(60, HOUR), address=(600, HOUR)),
    Limit.RESERVATION: _policy(Limit.RESERVATION, account=(30, HOUR), address=(300, HOUR)),
    Limit.ORDER: _policy(Limit.ORDER, account=(30, HOUR), address=(300, HOUR)),
    Limit.REPORT: _policy(Limit.REPORT, account=(30, HOUR), address=(300, HOUR)),
    Limit.UPLOAD: _policy(Limit.UPLOAD, account=(160, 10 * MINUTE), address=(1600, 10 * MINUTE)),
    Limit.SEARCH: _policy(Limit.SEARCH, account=(120, MINUTE), address=(600, MINUTE)),
    Limit.SUGGEST: _policy(Limit.SUGGEST, account=(300, MINUTE), address=(1500, MINUTE)),
    Limit.EXPORT: _policy(Limit.EXPORT, account=(3, DAY), address=(30, DAY)),
    Limit.STAFF_EXPORT: _policy(Limit.STAFF_EXPORT, account=(20, HOUR), address=(100, HOUR)),
    Limit.IMPERSONATE: _policy(Limit.IMPERSONATE, account=(20, HOUR), address=(100, HOUR)),
    Limit.SOCKET: _policy(Limit.SOCKET, address=(240, MINUTE)),
}
"""docs/limits.md says why these; a test compares the two."""
_LOCAL_FACTOR = 20
"""On a developer's machine everybody has one address, and a test suite does in a minute what people do in a day."""


class RateLimited(AppError):
    code, status, title = "rate_limited", 429, "Too many of these calls; wait a while."

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            f"Too many of these calls; try again in {retry_after} s.",
            headers={"Retry-After": str(retry_after)},
            retry_after=retry_after,
        )


class Limiter:
    """Counts in Valkey while there is one that answers, otherwise in this process."""

    def __init__(self, settings: Settings) -> None:
        self.on = settings.rate_limits
        factor = settings.rate_limit_factor or (_LOCAL_FACTOR if settings.env is Environment.LOCAL else 1)
        self.policies = {limit: policy.times(factor) for limit, policy in POLICIES.items()}
        self.local = LocalCounter()
        url = settings.valkey_url
        self.shared = ValkeyCounter(url.get_secret_value()) if url is not None else None

    async def take(self, item: RateLimitItem, key: str) -> Standing:
        counter: Counter | None = self.shared
        if counter is not None:
            try:
                return await counter.take(item, key)
            except Unreachable:
                pass  # the breaker has said so in the log
        return await self.local.take(item, key)

    async def aclose(self) -> None:
        if self.shared is not None:
            await self.shared.aclose()


class _Tally:
    """What one call was counted as, and the headers that tell of it."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self._counted: list[tuple[_Rule, Standing]] = []

    async def take(self, rule: _Rule, key: str) -> RateLimited | None:
        """Count it; the refusal, if it is one too many."""
        standing = await self._limiter.take(rule.item, key)
        self._counted.append((rule, standing))
        if standing.allowed:
            return None
        metrics.RATE_LIMITED.labels(rule.name).inc()
        return RateLimited(max(1, math.ceil(standing.reset)))

    def headers(self) -> list[tuple[bytes, bytes]]:
        if not self._counted:
            return []
        policies = ", ".join([rule.header for rule, _ in self._counted])
        standings = ", ".join(
            [f'"{rule.name}";r={stands.remaining};t={math.ceil(stands.reset)}' for rule, stands in self._counted]
        )
        return [(b"ratelimit-policy", policies.encode()), (b"ratelimit", standings.encode())]


async def count(runtime: Runtime, limit: Limit, *, account: str | None = None, address: str | None = None) -> None:
    """Count a call that is no route's: by the account it comes from or is about, by its address; raises `RateLimited`.

    An account that is only named, not signed in, is named by a keyed hash, and counted whether it exists or not.
    """
    limiter = runtime.adapters.get(Limiter)
    if not limiter.on:
        return
    policy, tally = limiter.policies[limit], _Tally(limiter)
    for rule, key in ((policy.address, address and limit_key(address)), (policy.account, account)):
        refusal = await tally.take(rule, key) if rule is not None and key else None
        if refusal is not None:
            raise refusal


Guard = Callable[[Connection, BaseRouteHandler], Awaitable[None]]


def limited(limit: Limit, *, when: Callable[[Any], bool] | None = None) -> Guard:
    """A route guard: counts the call by its address and its caller, before the body is read, else 429 `rate_limited`.

    Both kinds of reply say in `RateLimit` how the caller stands. `when` says by the ASGI scope which calls count.
    """

    async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
        limiter = runtime_of(connection).adapters.get(Limiter)
        if limiter.on and (when is None or when(connection.scope)):
            await _count_request(limiter, limiter.policies[limit], connection, handler)

    guard.limit = limit  # pyright: ignore[reportFunctionMemberAccess]
    return guard


async def _count_request(limiter: Limiter, policy: Policy, connection: Connection, handler: BaseRouteHandler) -> None:
    state = state_of(connection.scope)
    if state.limits is None:  # else the database had it run again, which is the same call
        tally, refusal = _Tally(limiter), None
        address = client_address(connection.scope, runtime_of(connection).settings)
        if address is not None:
            refusal = await tally.take(policy.address, limit_key(address))
        if refusal is None and policy.account is not None:
            account = await _account(connection, handler)
            if account is not None:
                refusal = await tally.take(policy.account, account)
        state.limits = tally.headers()
        if refusal is not None:
            state.headers.extend(state.limits)
            raise refusal
    state.headers.extend(state.limits)


async def _account(connection: Connection, handler: BaseRouteHandler) -> str | None:
    """The caller, checked as the route checks them; nobody on a route that asks for none."""
    if asks_for_caller(handler):
        return str((await checked_principal(connection)).user_id)
    if handler.opt.get(READS_VIEWER) or "viewer" in handler.parsed_fn_signature.parameters:
        viewer = principal_of(connection)
        return None if viewer is None else str(viewer.user_id)
    return None
