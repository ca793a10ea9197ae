"""What the tests of whole deals share."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Protocol

import httpx
import pytest

from memi.orders.payments import NoPayments, Payments
from memi.platform.runtime import Runtime
from support.accounts import accounts, tokens_of
from support.deal_drive import RealDeal
from support.deal_state import Rules
from support.deals import deals as deals
from support.orders import PaymentsElsewhere
from support.orders import orders as orders
from support.sql import Sql


class NewDeal(Protocol):
    async def __call__(self, rules: Rules, buyers: int = 2) -> RealDeal: ...


@pytest.fixture
def new_deal(runtime: Runtime, client: httpx.AsyncClient, sql: Sql) -> NewDeal:
    """Begins a deal about a new item, of new people."""

    async def begin(rules: Rules, buyers: int = 2) -> RealDeal:
        people = await accounts(1 + buyers, client, tokens_of(runtime), sql)
        return await RealDeal.begin(runtime, sql, rules, people)

    return begin


@asynccontextmanager
async def under(rules: Rules, runtime: Runtime) -> AsyncGenerator[None]:
    """Payments as the rules say, until the end of the block."""
    if rules.payments:
        runtime.adapters.set(Payments, PaymentsElsewhere())  # pyright: ignore[reportAbstractUsage]
    yield
    runtime.adapters.set(Payments, NoPayments())  # pyright: ignore[reportAbstractUsage]
