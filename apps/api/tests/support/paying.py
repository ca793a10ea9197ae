"""What a payments service would tell of an order, given to the rules directly."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from memi.orders import service
from memi.orders.paying import Outcome
from memi.platform.runtime import Runtime
from support.orders import Purchase

PRICE, CURRENCY = 4500, "AZN"


class Paying:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @staticmethod
    def id_of(purchase: Purchase) -> str:
        return f"pay_{purchase.id}"

    async def begins(self, purchase: Purchase, payment_id: str | None = None) -> Outcome:
        payment_id = payment_id or self.id_of(purchase)
        async with self._runtime.unit_of_work() as session:
            url = f"https://pay.example/{payment_id}"
            return await service.payment_begun(session, UUID(purchase.id), payment_id, url)

    async def succeeds(
        self, purchase: Purchase, *, amount: int = PRICE, currency: str = CURRENCY, payment_id: str | None = None
    ) -> Outcome:
        async with self._runtime.unit_of_work() as session:
            return await service.payment_succeeded(
                session,
                UUID(purchase.id),
                payment_id=payment_id or self.id_of(purchase),
                amount=amount,
                currency=currency,
                at=datetime.now(UTC),
            )

    async def fails(self, purchase: Purchase, *, payment_id: str | None = None) -> Outcome:
        async with self._runtime.unit_of_work() as session:
            return await service.payment_failed(
                session, UUID(purchase.id), payment_id=payment_id or self.id_of(purchase), at=datetime.now(UTC)
            )

    async def refunds(self, purchase: Purchase, *, amount: int = PRICE) -> Outcome:
        async with self._runtime.unit_of_work() as session:
            return await service.payment_refunded(
                session,
                UUID(purchase.id),
                payment_id=self.id_of(purchase),
                amount=amount,
                currency=CURRENCY,
                at=datetime.now(UTC),
            )


@pytest.fixture
def paying(runtime: Runtime) -> Paying:
    return Paying(runtime)
