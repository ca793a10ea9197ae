"""Whatever moves a deal locks listing, hold, reservation, order and chat in this order, so that no two ever cross."""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import event

from memi.platform.runtime import Runtime
from support.deal_drive import RealDeal
from support.deal_page import RULES
from support.deal_state import Move, Rules

from .conftest import NewDeal, under

ORDER = ("listings", "listing_holds", "reservations", "orders", "chats")
_LOCKED = re.compile(r"\bFROM (\w+)\b.*\bFOR (?:NO KEY )?UPDATE", re.DOTALL)


class Locks:
    """What each transaction locked before it looked at it, each table where it came first."""

    def __init__(self) -> None:
        self.transactions: list[list[str]] = []
        self._open: dict[int, list[str]] = {}

    def executed(self, connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        found = _LOCKED.search(statement)
        table = "chats" if "chat_send(" in statement else found[1] if found else None
        taken = self._open.setdefault(id(connection.connection.dbapi_connection), [])
        if table in ORDER and table not in taken:
            taken.append(table)

    def ended(self, connection: Any) -> None:
        taken = self._open.pop(id(connection.connection.dbapi_connection), [])
        if taken:
            self.transactions.append(taken)

    def out_of_turn(self) -> list[list[str]]:
        return [taken for taken in self.transactions if taken != sorted(taken, key=ORDER.index)]


@asynccontextmanager
async def recording(runtime: Runtime) -> AsyncGenerator[Locks]:
    locks, engine = Locks(), runtime.database.engine.sync_engine
    listeners = [("before_cursor_execute", locks.executed), ("commit", locks.ended), ("rollback", locks.ended)]
    for name, listener in listeners:
        event.listen(engine, name, listener)
    try:
        yield locks
    finally:
        for name, listener in listeners:
            event.remove(engine, name, listener)


def test_a_lock_out_of_turn_would_be_seen() -> None:
    locks = Locks()
    locks.transactions = [["listings", "orders"], ["reservations", "listing_holds"]]
    assert locks.out_of_turn() == [["reservations", "listing_holds"]]


SERIES: list[list[str]] = [
    ["buyer.request", "buyer.cancel", "buyer.request", "seller.reject"],
    ["buyer.request", "seller.accept", "buyer.cancel"],
    ["buyer.request", "seller.accept", "seller.cancel"],
    ["buyer.request", "other.request", "seller.accept", "seller.complete"],
    ["buyer.request", "seller.accept", "clock.reservation_due", "clock.reservation_lapses"],
    ["buyer.request", "seller.accept", "clock.reservation_due", "buyer.request"],
    ["buyer.request", "seller.part"],
    ["buyer.request", "seller.accept", "staff.away"],
    ["buyer.request", "seller.accept", "owner.unreserve"],
    ["buyer.request", "other.request", "seller.accept", "owner.sold"],
    ["buyer.request", "other.request", "owner.unpublish"],
    ["buyer.request", "seller.accept", "staff.remove"],
    ["owner.reserve", "owner.unreserve", "owner.delete"],
    ["buyer.order", "buyer.cancel_order"],
    ["buyer.order", "seller.cancel_order"],
    ["buyer.order", "buyer.complete_order"],
    ["buyer.order", "clock.order_due", "clock.order_lapses"],
    ["buyer.order", "clock.order_due", "other.order"],
    ["buyer.order", "owner.sold"],
    ["buyer.order", "owner.unreserve"],
    ["buyer.order", "owner.delete"],
    ["buyer.order", "staff.away"],
    ["buyer.order", "payments.pay", "buyer.complete_order", "payments.refund"],
    ["buyer.order", "payments.fail", "payments.pay"],
    ["buyer.order", "buyer.cancel_order", "payments.pay", "payments.refund"],
    ["buyer.request", "seller.accept", "buyer.order_reserved", "buyer.cancel_order", "buyer.order_reserved"],
    ["buyer.request", "seller.accept", "buyer.order_reserved", "buyer.complete_order"],
    ["buyer.request", "seller.accept", "buyer.order_reserved", "payments.pay"],
    ["buyer.request", "seller.accept", "buyer.order_reserved", "owner.sold"],
    ["buyer.request", "seller.accept", "buyer.order_reserved", "owner.unreserve"],
    ["buyer.request", "seller.accept", "buyer.order_reserved", "clock.reservation_due", "buyer.cancel_order"],
    ["buyer.request", "seller.accept", "buyer.order_reserved", "clock.order_due", "clock.order_lapses"],
    ["buyer.request", "seller.accept", "buyer.order_reserved", "clock.order_due", "buyer.order_reserved"],
    ["buyer.request", "seller.accept", "buyer.order_reserved", "staff.away"],
]


def move_of(said: str) -> Move:
    """`owner.sold` is about the listing, `seller.accept` about the buyer's reservation."""
    actor, _, name = said.partition(".")
    if actor in ("owner", "other"):
        return Move(name, "seller") if actor == "owner" else Move(name, "buyer", 1)
    return Move(name, actor, None if name == "remove" else 0)


async def test_every_move_locks_in_the_one_order(runtime: Runtime, new_deal: NewDeal) -> None:
    found: dict[str, list[list[str]]] = {}
    seen: set[str] = set()
    for rules in RULES[:2]:
        async with under(rules, runtime):
            for series in SERIES:
                for said, locks in [item async for item in _recorded(runtime, await new_deal(rules), rules, series)]:
                    seen |= {table for taken in locks.transactions for table in taken}
                    if locks.out_of_turn():
                        found[said] = locks.out_of_turn()
    assert found == {}
    assert seen == set(ORDER)


async def _recorded(
    runtime: Runtime, deal: RealDeal, rules: Rules, series: list[str]
) -> AsyncIterator[tuple[str, Locks]]:
    """Each move with what it locked; a move that these rules do not know ends the series."""
    assert await deal.make(Move("publish", "seller"))
    for said in series:
        move = move_of(said)
        if move.actor == "payments" and not rules.payments:
            return
        async with recording(runtime) as locks:
            went = await deal.make(move)
        assert went or rules.payments, (series, said)
        yield said, locks
        await deal.state()
