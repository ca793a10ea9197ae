"""The one table of what may become of an order: code, docs and tests read it, and nothing else decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from memi.orders.errors import IllegalTransition, NotYourMove
from memi.orders.events import Change


class Status(StrEnum):
    PENDING = "PENDING"
    AWAITING_PAYMENT = "AWAITING_PAYMENT"
    PAID = "PAID"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    PAYMENT_FAILED = "PAYMENT_FAILED"
    REFUNDED = "REFUNDED"


class Side(StrEnum):
    """PAYMENTS: what the payments service tells. CLOCK: the time ran out. LISTING: a move of the listing or of an
    account, which asks nobody."""

    BUYER = "BUYER"
    SELLER = "SELLER"
    PAYMENTS = "PAYMENTS"
    CLOCK = "CLOCK"
    LISTING = "LISTING"


Move = Literal["hand_off", "complete", "cancel", "pay", "fail", "refund", "lapse", "close", "sell"]
Condition = Literal["payments_configured", "meetup"]
UNPAID = (Status.PENDING, Status.AWAITING_PAYMENT)
"""These have the item's one hold."""
BOUGHT = (Status.PAID, Status.COMPLETED)
"""Of these the item is SOLD."""


@dataclass(frozen=True)
class Transition:
    """One line of the table; `condition`, if there is one, must hold too."""

    sources: tuple[Status, ...]
    target: Status
    move: Move
    sides: tuple[Side, ...]
    note: str
    condition: Condition | None = None


_S = Status
TABLE: tuple[Transition, ...] = (
    Transition(
        (_S.PENDING,),
        _S.AWAITING_PAYMENT,
        "hand_off",
        (Side.PAYMENTS,),
        "in the transaction that makes the order; `payment_url` follows once the service has answered",
        "payments_configured",
    ),
    Transition(
        (_S.PENDING,),
        _S.COMPLETED,
        "complete",
        (Side.BUYER, Side.SELLER),
        "hand to hand: the listing is SOLD, requests close",
    ),
    Transition((_S.PENDING, _S.AWAITING_PAYMENT), _S.CANCELLED, "cancel", (Side.BUYER, Side.SELLER), "ends the hold"),
    Transition((_S.AWAITING_PAYMENT,), _S.PAID, "pay", (Side.PAYMENTS,), "the listing is SOLD, requests close"),
    Transition((_S.AWAITING_PAYMENT,), _S.PAYMENT_FAILED, "fail", (Side.PAYMENTS,), "ends the hold"),
    Transition((_S.PAID,), _S.COMPLETED, "complete", (Side.BUYER,), "the buyer has it"),
    Transition((_S.PAID,), _S.COMPLETED, "complete", (Side.SELLER,), "handed over in person", "meetup"),
    Transition(
        (_S.AWAITING_PAYMENT, _S.PAID, _S.COMPLETED),
        _S.REFUNDED,
        "refund",
        (Side.PAYMENTS,),
        "the money went back; the listing is SOLD and stays so, whichever of payment and refund is heard of first",
    ),
    Transition((_S.CANCELLED, _S.PAYMENT_FAILED), _S.REFUNDED, "refund", (Side.PAYMENTS,), "a late payment went back"),
    Transition((_S.PENDING, _S.AWAITING_PAYMENT), _S.CANCELLED, "lapse", (Side.CLOCK,), "nobody acted in time"),
    Transition(
        (_S.PENDING, _S.AWAITING_PAYMENT),
        _S.CANCELLED,
        "close",
        (Side.LISTING,),
        "the listing went away, or one of the two was blocked or left",
    ),
    Transition((_S.PENDING,), _S.COMPLETED, "sell", (Side.LISTING,), "the seller marked the listing as sold"),
    Transition(
        (_S.AWAITING_PAYMENT,), _S.CANCELLED, "sell", (Side.LISTING,), "the same: sold, but not by this payment"
    ),
)

_CHANGES: dict[Status, Change] = {
    Status.PENDING: "created",
    Status.AWAITING_PAYMENT: "created",
    Status.PAID: "paid",
    Status.COMPLETED: "completed",
    Status.CANCELLED: "cancelled",
    Status.PAYMENT_FAILED: "payment_failed",
    Status.REFUNDED: "refunded",
}


def change_of(status: str) -> Change:
    """How a move into `status` is told."""
    return _CHANGES[Status(status)]


def allowed_moves(status: str, by: Side, *, meetup: bool = False) -> list[Move]:
    """What `by` may do with an order in `status`, in the table's order."""
    return [row.move for row in TABLE if status in row.sources and by in row.sides and _holds(row, meetup=meetup)]


def check_side(move: Move, by: Side) -> None:
    """Raises `NotYourMove` when the table never lets `by` make this move."""
    if not any(row.move == move and by in row.sides for row in TABLE):
        raise NotYourMove


def check_move(status: str, move: Move, by: Side, *, meetup: bool = False) -> Status:
    """The status that `move` leads to; raises `NotYourMove` or `IllegalTransition`.

    `NotYourMove` also when only the other side may make it of an order that is where this one is.
    """
    check_side(move, by)
    rows = [row for row in TABLE if row.move == move and status in row.sources]
    for row in rows:
        if by in row.sides and _holds(row, meetup=meetup):
            return row.target
    if rows:
        raise NotYourMove
    raise IllegalTransition(move, status, allowed_moves(status, by, meetup=meetup))


def _holds(row: Transition, *, meetup: bool) -> bool:
    return row.condition != "meetup" or meetup


def as_markdown() -> str:
    """The table as a page of the documentation."""
    lines = [
        "# The life of an order",
        "",
        "Generated from `memi.orders.lifecycle`. An order begins as PENDING. What is not in this table is 409",
        "`illegal_transition`, which names the `current_status` and the `allowed_moves` of the one who asked;",
        "a move that is the other side's is 403 `not_your_move`.",
        "",
        "| from | to | move | by | when | |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {_joined(row.sources)} | {row.target} | `{row.move}` | {_joined(row.sides)} "
        f"| {_WHEN[row.condition]} | {row.note} |"
        for row in TABLE
    ]
    lines += [
        "",
        "PENDING and AWAITING_PAYMENT have the listing's one hold. An order that is made of a reservation takes over",
        "the reservation's hold, which is never free in between; when such an order ends without a sale and the",
        "reservation's own time is not over, the reservation has it back. While the order is open, the reservation can",
        "neither be cancelled nor completed nor lapse.",
        "",
        "PAYMENTS, CLOCK and LISTING are nobody's calls: they follow from the payments service's events, from",
        "`expires_at`, and from what happens to the listing or to one of the two people. A payment of an order that is",
        "CANCELLED or PAYMENT_FAILED does not bring it back: it becomes a refund request. Once an order is PAID,",
        "neither the clock nor the listing ends it.",
        "",
    ]
    return "\n".join(lines)


_WHEN: dict[Condition | None, str] = {
    None: "",
    "payments_configured": "a payments service is configured",
    "meetup": "delivery is MEETUP",
}


def _joined(values: Sequence[StrEnum]) -> str:
    return ", ".join(str(value) for value in values)
