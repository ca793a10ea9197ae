"""The moves of the model made of a real item, over HTTP and by the database's clock, and what came of it."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

from memi.listings import service as listings
from memi.listings.errors import IllegalTransition
from memi.listings.jobs import expire_listings
from memi.orders import service as orders
from memi.orders.lifecycle import UNPAID
from memi.platform.errors import NotFound
from memi.platform.runtime import Runtime
from memi.reservations import service as reservations
from memi.reservations.lifecycle import OPEN
from memi.users import blocks, deletion
from memi.users import service as users
from support.accounts import sign_in, tokens_of
from support.deal_state import OWNER_MOVES, Buyer, Hold, Move, Rules, State
from support.items import make_listing
from support.orders import INVARIANTS, address
from support.people import Person
from support.sql import Sql

_STATE = """
SELECT l.status, l.previous_status, h.kind, h.holder_id, s.is_blocked OR s.deleted_at IS NOT NULL AS seller_away
FROM listings l JOIN users s ON s.id = l.seller_id LEFT JOIN listing_holds h ON h.listing_id = l.id WHERE l.id = $1
"""
_BUYER = """
SELECT u.is_blocked OR u.deleted_at IS NOT NULL AS away,
    EXISTS (SELECT FROM user_blocks b WHERE (b.blocker_id, b.blocked_id) IN ((u.id, $3), ($3, u.id))) AS apart,
    r.id AS reservation_id, r.status AS reservation,
    coalesce(r.status IN ('REQUESTED', 'ACCEPTED') AND r.expires_at <= now(), false) AS reservation_late,
    o.id AS order_id, o.status AS "order", coalesce(o.expires_at <= now(), false) AS order_late,
    EXISTS (SELECT FROM refund_requests f WHERE f.order_id = o.id) AS refund_asked
FROM users u
LEFT JOIN LATERAL (
    SELECT * FROM reservations WHERE listing_id = $1 AND buyer_id = u.id ORDER BY id DESC LIMIT 1
) r ON true
LEFT JOIN LATERAL (
    SELECT * FROM orders WHERE listing_id = $1 AND buyer_id = u.id ORDER BY id DESC LIMIT 1
) o ON true
WHERE u.id = $2
"""


_STANDS = "SELECT NOT is_blocked AND deleted_at IS NULL FROM users WHERE id = $1"


class RealDeal:
    """One item of the seller's, as the model has it."""

    def __init__(self, runtime: Runtime, sql: Sql, rules: Rules, item: str, people: list[Person]) -> None:
        self._runtime, self._sql, self._rules = runtime, sql, rules
        self.item, (self.seller, *self.buyers) = item, people
        self.reservations: list[str | None] = [None for _ in self.buyers]
        self.orders: list[str | None] = [None for _ in self.buyers]
        self._deletes = False

    @classmethod
    async def begin(cls, runtime: Runtime, sql: Sql, rules: Rules, people: list[Person]) -> Self:
        """The seller first. With a new item, which is a draft."""
        made = await make_listing(people[0], sql, publish=False)
        return cls(runtime, sql, rules, made["id"], people)

    async def another(self) -> "RealDeal":
        """The same people about another item."""
        return await RealDeal.begin(self._runtime, self._sql, self._rules, [self.seller, *self.buyers])

    async def state(self) -> State:
        """What it is by the database."""
        (row,) = await self._sql.rows(_STATE, UUID(self.item))
        buyers: list[Buyer] = []
        for number, person in enumerate(self.buyers):
            (found,) = await self._sql.rows(_BUYER, UUID(self.item), UUID(person.id), UUID(self.seller.id))
            reservation_id, order_id = found.pop("reservation_id"), found.pop("order_id")
            self.reservations[number] = str(reservation_id) if reservation_id else None
            self.orders[number] = str(order_id) if order_id else None
            buyers.append(Buyer(**found))
        hold = None
        if row["kind"] is not None:
            ids = [UUID(person.id) for person in self.buyers]
            hold = Hold(row["kind"], None if row["holder_id"] is None else ids.index(row["holder_id"]))
        return State(row["status"], row["previous_status"], hold, row["seller_away"], tuple(buyers))

    async def broken(self) -> dict[str, Any]:
        """What must never be found in the database, and is."""
        return {name: rows for name, query in INVARIANTS.items() if (rows := await self._sql.rows(query))}

    async def make(self, move: Move) -> bool:
        """Make the move; False when it was refused as it should be refused, by a 4xx."""
        if move.name in ("away", "back"):
            return await self._account(move)
        if move.buyer is None:
            return await self._of_listing(move)
        if move.actor == "payments":
            return await self._payment(move.name, move.buyer)
        if move.actor == "clock":
            return await self._clock(move.name, move.buyer)
        if move.name in ("part", "unpart"):
            return await self._people(move, move.buyer)
        person = self.seller if move.actor == "seller" else self.buyers[move.buyer]
        path, body = await self._call(move.name, move.buyer)
        return path is not None and self._went(await person.post(path, body))

    def _went(self, reply: Any) -> bool:
        assert reply.status_code < 500, reply.text
        return reply.status_code < 400

    async def _call(self, name: str, buyer: int) -> tuple[str | None, Any]:
        """(path, body) of a buyer's or seller's call; without a path there is nothing to call yet."""
        reservation, order = self.reservations[buyer], self.orders[buyer]
        if name == "request":
            return f"/listings/{self.item}/reservations", {}
        if name in ("order", "order_reserved"):
            of = {"listing_id": self.item} if name == "order" else {"reservation_id": reservation}
            body = {**of, "delivery": "MEETUP" if self._rules.meetup else "SHIPPING"}
            if not self._rules.meetup and (given := await self._address(self.buyers[buyer])):
                body["address_id"] = given
            return (None, None) if name == "order_reserved" and reservation is None else ("/orders", body)
        if name.endswith("_order"):
            return (f"/orders/{order}/{name.removesuffix('_order')}" if order else None), None
        return (f"/reservations/{reservation}/{name}" if reservation else None), None

    async def _address(self, person: Person) -> str | None:
        found = await self._sql.value("SELECT id FROM user_addresses WHERE user_id = $1 LIMIT 1", UUID(person.id))
        if found is None and (await person.get("/users/me")).status_code == 200:
            return await address(person)
        return None if found is None else str(found)

    async def _of_listing(self, move: Move) -> bool:
        if move.actor == "clock":
            late = "UPDATE listings SET expires_at = now() - interval '1 second' WHERE id = $1 AND status = 'ACTIVE'"
            done = await self._sql.execute(late, UUID(self.item))
            await expire_listings.run(self._runtime)
            return done == "UPDATE 1"
        if move.actor == "staff":
            return await self._inside(
                lambda session: getattr(listings, move.name)(session, UUID(self.item)), IllegalTransition
            )
        assert move.name in OWNER_MOVES
        if move.name == "delete":
            return self._went(await self.seller.delete(f"/listings/{self.item}"))
        return self._went(await self.seller.post(f"/listings/{self.item}/{move.name}"))

    async def _inside(self, work: Callable[[Any], Awaitable[Any]], refusal: type[Exception]) -> bool:
        """What a job or staff does through a service."""
        try:
            async with self._runtime.unit_of_work() as session:
                await work(session)
        except refusal:
            return False
        return True

    async def _clock(self, name: str, buyer: int) -> bool:
        table, found = (
            ("orders", self.orders[buyer]) if name.startswith("order") else ("reservations", self.reservations[buyer])
        )
        if name.endswith("_due"):
            late = f"UPDATE {table} SET expires_at = now() - interval '1 second' WHERE id = $1 AND status = ANY ($2)"
            if found is not None:
                await self._sql.execute(late, UUID(found), [*OPEN, *UNPAID])
            return True
        # One at a time: the clock's jobs would come by for everybody.
        if found is not None:
            lapse = orders.expire if table == "orders" else reservations.expire
            await self._inside(lambda session: lapse(session, UUID(found)), NotFound)
        return True

    async def _payment(self, name: str, buyer: int) -> bool:
        found = self.orders[buyer]
        if found is None:
            return True
        order_id, now = UUID(found), datetime.now(UTC)
        told: dict[str, Any] = {"payment_id": f"pay_{found}", "at": now}
        if name != "fail":
            told |= {"amount": 4500, "currency": "AZN"}
        tell = {
            "pay": orders.payment_succeeded,
            "fail": orders.payment_failed,
            "refund": orders.payment_refunded,
        }[name]
        async with self._runtime.unit_of_work() as session:
            outcome = await tell(session, order_id, **told)
        assert outcome in ("applied", "unchanged", "refund_requested"), outcome
        return True

    async def _people(self, move: Move, buyer: int) -> bool:
        person, other = self.buyers[buyer], self.seller
        if move.actor == "seller":
            person, other = other, person
        if move.name == "part":
            already = "SELECT count(*) FROM user_blocks WHERE (blocker_id, blocked_id) IN (($1, $2), ($2, $1))"
            if await self._sql.value(already, UUID(person.id), UUID(other.id)):
                return False  # whether it was this one or the other who blocked is all the same to the model
            return self._went(await person.put(f"/users/me/blocks/{other.id}"))
        if not await self._sql.value(_STANDS, UUID(person.id)):
            return False  # asked of the service below, which leaves who is signed in to the routes
        for one, another in ((person, other), (other, person)):
            await self._inside(lambda session: blocks.unblock(session, UUID(one.id), UUID(another.id)), NotFound)  # noqa: B023  # run at once
        return True

    async def _account(self, move: Move) -> bool:
        """Blocked and deleted in turns: both end what the person had."""
        person = self.seller if move.buyer is None else self.buyers[move.buyer]
        user_id = UUID(person.id)
        (row,) = await self._sql.rows("SELECT is_blocked, deleted_at FROM users WHERE id = $1", user_id)
        if (row["is_blocked"] or row["deleted_at"] is not None) == (move.name == "away"):
            return False
        if move.name == "away":
            self._deletes = not self._deletes
            go = deletion.delete if self._deletes else users.block
            return await self._inside(lambda session: go(session, user_id), NotFound)
        come = users.unblock if row["is_blocked"] else deletion.restore
        await self._inside(lambda session: come(session, user_id), NotFound)
        await sign_in([person], tokens_of(self._runtime), self._sql)
        return True
