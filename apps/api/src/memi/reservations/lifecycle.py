"""The one table of what may become of a reservation: code, docs and tests read it, and nothing else decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from memi.reservations.errors import IllegalTransition, NotYourMove
from memi.reservations.events import Change


class Status(StrEnum):
    REQUESTED = "REQUESTED"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"
    COMPLETED = "COMPLETED"
    EXPIRED = "EXPIRED"


class Side(StrEnum):
    """CLOCK: the time ran out. LISTING: a move of the listing or of an account, which asks nobody."""

    BUYER = "BUYER"
    SELLER = "SELLER"
    CLOCK = "CLOCK"
    LISTING = "LISTING"


Move = Literal["accept", "reject", "cancel", "complete", "expire", "close", "sell"]
OPEN = (Status.REQUESTED, Status.ACCEPTED)
"""These may still become something else."""


@dataclass(frozen=True)
class Transition:
    """One line of the table."""

    sources: tuple[Status, ...]
    target: Status
    move: Move
    sides: tuple[Side, ...]
    note: str


_S = Status
TABLE: tuple[Transition, ...] = (
    Transition((_S.REQUESTED,), _S.ACCEPTED, "accept", (Side.SELLER,), "takes the listing's one hold: it is RESERVED"),
    Transition((_S.REQUESTED,), _S.REJECTED, "reject", (Side.SELLER,), "the seller says no"),
    Transition((_S.REQUESTED,), _S.CANCELLED, "cancel", (Side.BUYER,), "the buyer takes the wish back"),
    Transition(
        (_S.ACCEPTED,), _S.CANCELLED, "cancel", (Side.BUYER, Side.SELLER), "ends the hold: the listing is ACTIVE"
    ),
    Transition((_S.ACCEPTED,), _S.COMPLETED, "complete", (Side.SELLER,), "the listing is SOLD, other requests close"),
    Transition(OPEN, _S.EXPIRED, "expire", (Side.CLOCK,), "nobody acted in time; a hold ends"),
    Transition(
        OPEN, _S.CANCELLED, "close", (Side.LISTING,), "the listing went away, or one of the two was blocked or left"
    ),
    Transition((_S.ACCEPTED,), _S.COMPLETED, "sell", (Side.LISTING,), "the seller marked the listing as sold"),
)

_CHANGES: dict[Status, Change] = {
    Status.REQUESTED: "requested",
    Status.ACCEPTED: "accepted",
    Status.REJECTED: "rejected",
    Status.CANCELLED: "cancelled",
    Status.COMPLETED: "completed",
    Status.EXPIRED: "expired",
}


def change_of(status: str) -> Change:
    """How a move into `status` is told."""
    return _CHANGES[Status(status)]


def allowed_moves(status: str, by: Side) -> list[Move]:
    """What `by` may do with a reservation in `status`, in the table's order."""
    return [row.move for row in TABLE if status in row.sources and by in row.sides]


def check_side(move: Move, by: Side) -> None:
    """Raises `NotYourMove` when the table never lets `by` make this move."""
    if not any(row.move == move and by in row.sides for row in TABLE):
        raise NotYourMove


def check_move(status: str, move: Move, by: Side) -> Status:
    """The status that `move` leads to; raises `NotYourMove` or `IllegalTransition`."""
    check_side(move, by)
    for row in TABLE:
        if row.move == move and status in row.sources and by in row.sides:
            return row.target
    raise IllegalTransition(move, status, allowed_moves(status, by))


def as_markdown() -> str:
    """The table as a page of the documentation."""
    lines = [
        "# The life of a reservation",
        "",
        "Generated from `memi.reservations.lifecycle`. A reservation begins as REQUESTED. What is not in this table is",
        "409 `illegal_transition`, which names the `current_status` and the `allowed_moves` of the one who asked;",
        "a move that is always the other side's is 403 `not_your_move`.",
        "",
        "| from | to | move | by | |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {_joined(row.sources)} | {row.target} | `{row.move}` | {_joined(row.sides)} | {row.note} |" for row in TABLE
    ]
    lines += [
        "",
        "CLOCK and LISTING are nobody's calls: they follow from `expires_at` and from what happens to the listing.",
        "An ACCEPTED reservation has the listing's one hold, so that there is never more than one of a listing; other",
        "requests wait, also those made while it is RESERVED, and may be accepted if the first falls through.",
        "",
        "While an order made of an ACCEPTED reservation is open (`order_id`, docs/orders.md), the order has the hold",
        "and its time counts: the reservation makes no move of its own and does not lapse. `illegal_transition` then",
        "names the `order_id`.",
        "",
    ]
    return "\n".join(lines)


def _joined(values: Sequence[StrEnum]) -> str:
    return ", ".join(str(value) for value in values)
