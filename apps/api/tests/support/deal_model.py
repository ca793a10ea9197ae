"""What a deal may be: one item, its seller, its buyers; pure, and made of the three tables that the code itself reads.

A state is what decides what may happen next. Every move is one of somebody's calls, of the clock, of the payments
service or of staff. `step` says what it leads to; None is a refusal, which changes nothing.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from memi.listings import lifecycle as listing_table
from memi.listings.errors import IllegalTransition as IllegalListingMove
from memi.listings.lifecycle import BROWSABLE, PUBLIC, RETURNABLE, Actor, remembered
from memi.orders import lifecycle as order_table
from memi.orders.errors import IllegalTransition as IllegalOrderMove
from memi.orders.errors import NotYourMove as NotYourOrderMove
from memi.orders.lifecycle import UNPAID
from memi.orders.lifecycle import Side as OrderSide
from memi.reservations import lifecycle as reservation_table
from memi.reservations.errors import IllegalTransition as IllegalReservationMove
from memi.reservations.errors import NotYourMove as NotYourReservationMove
from memi.reservations.lifecycle import OPEN
from memi.reservations.lifecycle import Side as ReservationSide
from support.deal_state import Hold, Move, Rules, State, moves

_REFUSALS = (
    IllegalListingMove,
    IllegalOrderMove,
    NotYourOrderMove,
    IllegalReservationMove,
    NotYourReservationMove,
)


def step(state: State, move: Move, rules: Rules) -> State | None:
    """What the move leads to; None when it is refused. A move that changes nothing leads to the same state."""
    if _is_gone(state, move):
        return None
    try:
        return _Deal(state, rules).after(move)
    except _REFUSALS:
        return None


def _is_gone(state: State, move: Move) -> bool:
    """Whoever is blocked or deleted is signed in no more."""
    if move.actor == "seller":
        return state.seller_away
    return move.actor == "buyer" and move.buyer is not None and state.buyers[move.buyer].away


class _Refused(IllegalOrderMove):
    def __init__(self) -> None:
        super().__init__("", "", [])


class _Deal:
    """One move being made of a state."""

    def __init__(self, state: State, rules: Rules) -> None:
        self.state = state
        self.rules = rules

    def after(self, move: Move) -> State:
        name, buyer = move.name, move.buyer
        if buyer is None:
            if name in ("away", "back"):
                self._seller(away=name == "away")
            else:
                actors = {"seller": Actor.OWNER, "staff": Actor.MODERATOR, "clock": Actor.SYSTEM}
                self.move_listing(name, actors[move.actor])
        else:
            act: Callable[..., None] = getattr(self, f"_{name}")
            act(buyer, move.actor) if name in _BY_SIDE else act(buyer)
        return self.state

    # The listing and its hold

    def move_listing(self, name: Any, by: Actor, hold: Hold | None = None) -> None:
        """As `listings.moves.move`, and then what orders and reservations make of it."""
        state = self.state
        after = listing_table.check_move(state.listing, name, by, state.previous)
        self.state = state._replace(
            listing=after.value,
            previous=remembered(state.listing).value if after in RETURNABLE else None,
            hold=(hold or Hold("MANUAL", None)) if name == "reserve" else None,
        )
        if state.hold is not None and state.hold.kind == "ORDER" and state.holder is not None:
            self._orders_follow(name, state.holder)
        self._reservations_follow(name)

    def _orders_follow(self, name: str, buyer: int) -> None:
        was = self.state.buyers[buyer]
        if was.order is None or was.order not in UNPAID:
            return
        ending = "sell" if name == "sold" else "close"
        target = order_table.check_move(was.order, ending, OrderSide.LISTING)
        self.end_order(buyer, target)
        if name == "sold" and target == "CANCELLED" and was.reservation == "ACCEPTED":
            self.put(buyer, reservation="CANCELLED", reservation_late=False)

    def _reservations_follow(self, name: str) -> None:
        for number, buyer in enumerate(self.state.buyers):
            if name == "unreserve" and buyer.reservation == "ACCEPTED":
                self.end_reservation(number, "expire" if buyer.reservation_late else "close")
            elif name == "sold" and buyer.reservation in OPEN:
                self.end_reservation(number, "sell" if buyer.reservation == "ACCEPTED" else "close")
            elif name in ("unpublish", "expire", "delete", "remove") and buyer.reservation in OPEN:
                self.end_reservation(number, "close")

    def release(self, kind: str, buyer: int) -> None:
        if self.state.hold == Hold(kind, buyer):
            self.move_listing("unreserve", Actor.SYSTEM)

    # Reservations

    def put(self, number: int, **changes: Any) -> None:
        buyers = list(self.state.buyers)
        buyers[number] = buyers[number]._replace(**changes)
        self.state = self.state._replace(buyers=tuple(buyers))

    def end_reservation(self, number: int, move: Any) -> None:
        was = self.state.buyers[number].reservation
        assert was is not None
        side = ReservationSide.CLOCK if move == "expire" else ReservationSide.LISTING
        self.put(number, reservation=str(reservation_table.check_move(was, move, side)), reservation_late=False)

    def _moved(self, number: int, move: Any, actor: str) -> str:
        """What a side's move of the reservation leads to."""
        buyer = self.state.buyers[number]
        target = reservation_table.check_move(buyer.reservation or "EXPIRED", move, ReservationSide[actor.upper()])
        if buyer.reservation_late or buyer.ordered:
            raise _Refused
        return str(target)

    def _request(self, number: int) -> None:
        buyer = self.state.buyers[number]
        self._meet(number)
        if self.state.listing not in PUBLIC:
            raise _Refused
        if buyer.reservation in OPEN:
            if not buyer.reservation_late or buyer.ordered:
                raise _Refused
            self._reservation_lapses(number)
        if self.state.listing not in BROWSABLE:
            raise _Refused
        self.put(number, reservation="REQUESTED", reservation_late=False)

    def _accept(self, number: int) -> None:
        target = self._moved(number, "accept", "seller")
        self.move_listing("reserve", Actor.SYSTEM, Hold("RESERVATION", number))
        self.put(number, reservation=target)

    def _reject(self, number: int) -> None:
        self.put(number, reservation=self._moved(number, "reject", "seller"))

    def _cancel(self, number: int, actor: str) -> None:
        self.put(number, reservation=self._moved(number, "cancel", actor))
        self.release("RESERVATION", number)

    def _complete(self, number: int) -> None:
        self.put(number, reservation=self._moved(number, "complete", "seller"))
        self.move_listing("sold", Actor.SYSTEM)

    def _reservation_due(self, number: int) -> None:
        if self.state.buyers[number].reservation in OPEN:
            self.put(number, reservation_late=True)

    def _reservation_lapses(self, number: int) -> None:
        buyer = self.state.buyers[number]
        if buyer.reservation in OPEN and buyer.reservation_late and not buyer.ordered:
            self.end_reservation(number, "expire")
            self.release("RESERVATION", number)

    # Orders

    def end_order(self, number: int, target: str) -> None:
        self.put(number, order=str(target), order_late=False)

    def free(self, number: int) -> None:
        """The order is over without a sale; `number` was the one it was made of, if ACCEPTED."""
        buyer = self.state.buyers[number]
        if buyer.reservation == "ACCEPTED" and not buyer.reservation_late:
            self.state = self.state._replace(hold=Hold("RESERVATION", number))
        else:
            self.release("ORDER", number)

    def _order(self, number: int) -> None:
        self._meet(number)
        self._lapse_before_another()
        self.move_listing("reserve", Actor.SYSTEM, Hold("ORDER", number))
        self._ordered_by(number)

    def _order_reserved(self, number: int) -> None:
        self._meet(number)
        self._lapse_before_another()
        buyer = self.state.buyers[number]
        if buyer.reservation != "ACCEPTED" or buyer.reservation_late or buyer.ordered:
            raise _Refused
        self.state = self.state._replace(hold=Hold("ORDER", number))
        self._ordered_by(number)

    def _ordered_by(self, number: int) -> None:
        status = order_table.Status.PENDING
        if self.rules.payments:
            status = order_table.check_move(status, "hand_off", OrderSide.PAYMENTS)
        self.put(number, order=str(status), order_late=False, refund_asked=False)

    def _lapse_before_another(self) -> None:
        for number in range(len(self.state.buyers)):
            self._order_lapses(number)

    def _cancel_order(self, number: int, actor: str) -> None:
        self.end_order(number, self._order_moved(number, "cancel", actor))
        self.free(number)

    def _complete_order(self, number: int, actor: str) -> None:
        by_hand = self.state.buyers[number].order == "PENDING"
        self.end_order(number, self._order_moved(number, "complete", actor))
        if by_hand:
            self.move_listing("sold", Actor.SYSTEM)

    def _order_moved(self, number: int, move: Any, actor: str) -> str:
        buyer = self.state.buyers[number]
        target = order_table.check_move(
            buyer.order or "REFUNDED", move, OrderSide[actor.upper()], meetup=self.rules.meetup
        )
        if buyer.order_late:
            raise _Refused
        return str(target)

    def _order_due(self, number: int) -> None:
        if self.state.buyers[number].order in UNPAID:
            self.put(number, order_late=True)

    def _order_lapses(self, number: int) -> None:
        buyer = self.state.buyers[number]
        if buyer.order is not None and buyer.order in UNPAID and buyer.order_late:
            self.end_order(number, order_table.check_move(buyer.order, "lapse", OrderSide.CLOCK))
            self.free(number)

    # Payments: each may come late, again and in any order

    def _pay(self, number: int) -> None:
        buyer = self.state.buyers[number]
        if buyer.order in ("CANCELLED", "PAYMENT_FAILED"):
            self.put(number, refund_asked=True)
        elif buyer.order == "AWAITING_PAYMENT":
            self.end_order(number, order_table.check_move(buyer.order, "pay", OrderSide.PAYMENTS))
            self.move_listing("sold", Actor.SYSTEM)

    def _fail(self, number: int) -> None:
        buyer = self.state.buyers[number]
        if buyer.order == "AWAITING_PAYMENT":
            self.end_order(number, order_table.check_move(buyer.order, "fail", OrderSide.PAYMENTS))
            self.free(number)

    def _refund(self, number: int) -> None:
        buyer = self.state.buyers[number]
        if buyer.order is not None and buyer.order != "REFUNDED":
            self.end_order(number, order_table.check_move(buyer.order, "refund", OrderSide.PAYMENTS))
            if buyer.order == "AWAITING_PAYMENT":
                self.move_listing("sold", Actor.SYSTEM)

    # People

    def _meet(self, number: int) -> None:
        if self.state.buyers[number].apart or self.state.seller_away:
            raise _Refused

    def _part(self, number: int, actor: str) -> None:
        buyer = self.state.buyers[number]
        if buyer.apart or (self.state.seller_away if actor == "buyer" else buyer.away):
            raise _Refused
        if buyer.reservation == "REQUESTED" and not buyer.reservation_late:
            name: Any = "cancel" if actor == "buyer" else "reject"
            self.put(number, reservation=self._moved(number, name, actor))
        self.put(number, apart=True)

    def _unpart(self, number: int) -> None:
        self.put(number, apart=False)

    def _away(self, number: int) -> None:
        if self.state.buyers[number].away:
            raise _Refused
        self._close(number)
        self.put(number, away=True)

    def _back(self, number: int) -> None:
        if not self.state.buyers[number].away:
            raise _Refused
        self.put(number, away=False)

    def _seller(self, *, away: bool) -> None:
        if self.state.seller_away == away:
            raise _Refused
        self.state = self.state._replace(seller_away=away)
        if away:
            for number in range(len(self.state.buyers)):
                self._close(number)
            if self.state.listing == "RESERVED":
                self.move_listing("unreserve", Actor.SYSTEM)

    def _close(self, number: int) -> None:
        """A blocked or deleted person's unpaid orders and open reservations end, and their holds."""
        buyer = self.state.buyers[number]
        if buyer.reservation in OPEN:
            self.end_reservation(number, "close")
        if buyer.order is not None and buyer.order in UNPAID:
            self.end_order(number, order_table.check_move(buyer.order, "close", OrderSide.LISTING))
        self.release("ORDER", number)
        self.release("RESERVATION", number)


_BY_SIDE = frozenset({"cancel", "cancel_order", "complete_order", "part"})


def reachable(rules: Rules, start: State | None = None) -> dict[State, tuple[State, Move] | None]:
    """Every state that anything can lead to, each with one way of coming there: a walk in breadth."""
    start = (start or State()).settled()
    came: dict[State, tuple[State, Move] | None] = {start: None}
    waiting = deque([start])
    tried = moves(rules, len(start.buyers))
    while waiting:
        state = waiting.popleft()
        for move in tried:
            after = step(state, move, rules)
            if after is None:
                continue
            after = after.settled()
            if after not in came:
                came[after] = (state, move)
                waiting.append(after)
    return came


def steps_from(state: State, rules: Rules) -> Iterator[tuple[Move, State]]:
    """Every move that changes something here."""
    for move in moves(rules, len(state.buyers)):
        after = step(state, move, rules)
        if after is not None and after != state:
            yield move, after
