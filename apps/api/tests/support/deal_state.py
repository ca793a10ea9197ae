"""What a deal of one item may be seen as, what can be tried of it, and what must never be."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from memi.orders.lifecycle import BOUGHT, UNPAID
from memi.reservations.lifecycle import OPEN


class Buyer(NamedTuple):
    """The latest reservation and order of one buyer. Late: its time is over, though the clock's job has not come by.

    A reservation that is ACCEPTED while the order is unpaid is the one that the order was made of.
    """

    reservation: str | None = None
    reservation_late: bool = False
    order: str | None = None
    order_late: bool = False
    refund_asked: bool = False
    apart: bool = False
    """A block stands between this buyer and the seller."""
    away: bool = False
    """The account is blocked or deleted."""

    @property
    def ordered(self) -> bool:
        """An unpaid order of theirs has the hold that their reservation had."""
        return self.reservation == "ACCEPTED" and self.order in UNPAID


class Hold(NamedTuple):
    kind: str
    buyer: int | None


class State(NamedTuple):
    listing: str = "DRAFT"
    previous: str | None = None
    hold: Hold | None = None
    seller_away: bool = False
    buyers: tuple[Buyer, ...] = (Buyer(), Buyer())

    def settled(self) -> "State":
        """What has ended like this or like that goes on alike, and buyers are alike: the state that stands for all."""
        buyers = [
            buyer if buyer.reservation in OPEN else buyer._replace(reservation=None, reservation_late=False)
            for buyer in self.buyers
        ]
        order = sorted(range(len(buyers)), key=lambda number: (_key(buyers[number]), self.holder == number))
        hold = self.hold
        if hold is not None and hold.buyer is not None:
            hold = Hold(hold.kind, order.index(hold.buyer))
        return self._replace(hold=hold, buyers=tuple(buyers[number] for number in order))

    @property
    def holder(self) -> int | None:
        return None if self.hold is None else self.hold.buyer


def _key(buyer: Buyer) -> tuple[Any, ...]:
    return tuple(str(value) for value in buyer)


class Move(NamedTuple):
    """`actor` is "buyer", "seller" or whoever else; `buyer` is whose reservation or order it is about."""

    name: str
    actor: str
    buyer: int | None = None

    def __str__(self) -> str:
        return f"{self.actor}.{self.name}" + ("" if self.buyer is None else f"({self.buyer})")


@dataclass(frozen=True)
class Rules:
    """What an installation and a deal are set to."""

    payments: bool
    meetup: bool


OWNER_MOVES = ("publish", "unpublish", "reserve", "unreserve", "sold", "relist", "delete")
STAFF_MOVES = ("remove", "restore", "undelete")
_OF_BUYER = (
    *((name, "buyer") for name in ("request", "order", "order_reserved", "part", "unpart")),
    *((name, actor) for name in ("cancel", "cancel_order", "complete_order") for actor in ("buyer", "seller")),
    *((name, "seller") for name in ("accept", "reject", "complete", "part")),
    *((name, "clock") for name in ("reservation_due", "reservation_lapses", "order_due", "order_lapses")),
    *((name, "staff") for name in ("away", "back")),
)
_OF_PAYMENTS = ("pay", "fail", "refund")


def moves(rules: Rules, buyers: int = 2) -> list[Move]:
    """Everything that anybody or anything can try."""
    return [
        *(Move(name, "seller") for name in OWNER_MOVES),
        *(Move(name, "staff") for name in (*STAFF_MOVES, "away", "back")),
        Move("expire", "clock"),
        *(Move(name, actor, buyer) for buyer in range(buyers) for name, actor in _OF_BUYER),
        *(Move(name, "payments", buyer) for buyer in range(buyers) for name in _OF_PAYMENTS if rules.payments),
    ]


FORBIDDEN = (
    "two people hold one item",
    "RESERVED without a hold, or a hold without RESERVED",
    "a sold item with something open",
    "two people bought one item",
    "an order PAID or COMPLETED without its item SOLD",
    "a reservation ACCEPTED without the hold, its own or its order's",
    "an unpaid order without the hold",
    "a hold of nobody's claim",
)


def wrong(state: State) -> list[str]:
    """What must never be, and is."""
    holders = [
        number for number, buyer in enumerate(state.buyers) if buyer.reservation == "ACCEPTED" or buyer.order in UNPAID
    ]
    open_ones = [buyer for buyer in state.buyers if buyer.reservation in OPEN or buyer.order in UNPAID]
    bought = [buyer for buyer in state.buyers if buyer.order in BOUGHT]
    is_sold = state.listing == "SOLD" or (state.listing, state.previous) == ("REMOVED", "SOLD")
    buyers = list(enumerate(state.buyers))
    found = (
        len(holders) > 1,
        (state.listing == "RESERVED") != (state.hold is not None),
        is_sold and bool(open_ones),
        len(bought) > 1,
        bool(bought) and not is_sold,
        any(buyer.reservation == "ACCEPTED" and not _holds(state, number) for number, buyer in buyers),
        any(buyer.order in UNPAID and state.hold != Hold("ORDER", number) for number, buyer in buyers),
        state.holder is not None and state.holder not in holders,
    )
    return [name for name, is_so in zip(FORBIDDEN, found, strict=True) if is_so]


def _holds(state: State, number: int) -> bool:
    kind = "ORDER" if state.buyers[number].ordered else "RESERVATION"
    return state.hold == Hold(kind, number)
