"""The port to whoever takes the money: memi itself never does."""

from typing import Protocol


class Payments(Protocol):
    """Whether orders are paid through a service. What is asked of it follows by jobs, never from a request."""

    @property
    def configured(self) -> bool: ...


class NoPayments:
    """Deals settle hand to hand."""

    configured = False
