"""The port to whoever takes the money: memi itself never does. docs/payments.md is the contract."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal, Protocol
from uuid import UUID

import msgspec

from memi.platform.adapters import Adapters

Purpose = Literal["begin", "look", "cancel", "refund"]
PaymentStatus = Literal["PENDING", "SUCCEEDED", "FAILED", "CANCELLED", "REFUNDED"]
"""PENDING ends as SUCCEEDED, FAILED or CANCELLED; SUCCEEDED may become REFUNDED; nothing else ever changes."""
PaymentId = Annotated[str, msgspec.Meta(pattern=r"\A[\x21-\x7e]{1,255}\Z")]
Amount = Annotated[int, msgspec.Meta(gt=0, le=2**63 - 1)]
"""Minor units."""
Currency = Annotated[str, msgspec.Meta(pattern=r"\A[A-Z]{3}\Z")]
Time = Annotated[datetime, msgspec.Meta(tz=True)]


class Payment(msgspec.Struct, frozen=True):
    """A payment as the service has it."""

    id: PaymentId
    order_id: UUID
    status: PaymentStatus
    amount: Amount
    currency: Currency
    updated_at: Time
    """When it became what it is."""
    payment_url: Annotated[str, msgspec.Meta(pattern=r"\Ahttps?://[\x21-\x7e]{1,2000}\Z")] | None = None


@dataclass(frozen=True)
class Call:
    """Something asked of the service. However often it is asked, its key stays the same."""

    purpose: Purpose
    order_id: UUID
    payment_id: str | None = None
    body: Mapping[str, object] = field(default_factory=dict[str, object])

    @property
    def key(self) -> str:
        return f"{self.order_id}:{self.purpose}"


@dataclass(frozen=True)
class Answer:
    status: int
    payment: Payment


Failure = Literal["unreachable", "turned_away", "unclear"]
"""`unclear`: it may have been done all the same."""


class Unavailable(Exception):
    """The service cannot be used now, whatever it is asked; asking again later, with the same key, is of use."""

    def __init__(
        self, failure: Failure, because: str, *, status: int | None = None, wait_seconds: float | None = None
    ) -> None:
        super().__init__(because)
        self.failure: Failure = failure
        self.status = status
        self.wait_seconds = wait_seconds


class Refused(Exception):
    """The service works and will not do this; somebody has to look why."""

    def __init__(self, because: str, status: int) -> None:
        super().__init__(because)
        self.status = status


class Payments(Protocol):
    """Whether orders are paid through a service, and how it is asked. Jobs do that, never a request."""

    @property
    def configured(self) -> bool: ...

    async def ask(self, call: Call, request_id: UUID) -> Answer:
        """Ask once; raises `Unavailable` or `Refused`."""
        ...

    async def aclose(self) -> None: ...


class NoPayments:
    """Deals settle hand to hand."""

    configured = False

    async def ask(self, call: Call, request_id: UUID) -> Answer:
        """What was to be asked before payments were turned off stays to be looked at, among the dead jobs."""
        raise Refused(f"no payments service is configured: {call.purpose} was not asked", 0)

    async def aclose(self) -> None:
        """There is nothing to close."""


def payments_of(adapters: Adapters) -> Payments:
    return adapters.get(Payments)  # pyright: ignore[reportAbstractUsage]
