"""Hundreds of buyers at dozens of items through several processes, and a record of what they were told."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
from standardwebhooks import Webhook

from memi.orders.lifecycle import UNPAID
from memi.reservations.lifecycle import OPEN
from support.people import Person
from support.sql import Sql

_AROUND_RESTARTS = (503, 504)
_FINAL = {
    "reservations": ("REJECTED", "CANCELLED", "COMPLETED", "EXPIRED"),
    "orders": ("COMPLETED", "CANCELLED", "PAYMENT_FAILED", "REFUNDED"),
}
_LAST_TRIES = 100
"""After the end of a round, for an answer: twenty seconds, which an API that works never needs."""
_NO_POST = {"delete": "DELETE", "block": "PUT"}
PRICE = {"amount": 4500, "currency": "AZN"}


@dataclass(frozen=True)
class Told:
    """An acknowledged action: what a row was said to be, as of which version."""

    table: str
    id: str
    status: str
    version: int
    action: str


@dataclass
class Fire:
    """Workers that fire actions until they are stopped."""

    urls: Sequence[str]
    secret: str
    buyers: Sequence[Person]
    sellers: dict[str, Person] = field(default_factory=dict[str, Person])
    """By item."""
    items: list[str] = field(default_factory=list[str])
    """Those that are for sale now."""
    deleted: list[str] = field(default_factory=list[str])
    blocked: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    told: list[Told] = field(default_factory=list[Told])
    replies: Counter[str] = field(default_factory=Counter[str])
    unexpected: list[str] = field(default_factory=list[str])
    broken: int = 0
    reservations: dict[str, tuple[str, Person]] = field(default_factory=dict[str, tuple[str, Person]])
    """By id: the item and the buyer."""
    orders: dict[str, tuple[str, Person]] = field(default_factory=dict[str, tuple[str, Person]])
    said: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """(chat, what was written)."""
    chats: dict[str, Person] = field(default_factory=dict[str, Person])
    down: bool = False
    """The database is away, or has just come back: 503 is an answer now."""
    _stop: bool = False

    async def burn(self, workers: int, until: asyncio.Event) -> None:
        """Fire until told to stop, and wait for the last answers."""
        self._stop = False
        working = [asyncio.create_task(self.work(random.random())) for _ in range(workers)]
        await until.wait()
        self._stop = True
        await asyncio.gather(*working)

    async def work(self, seed: float) -> None:
        chance = random.Random(seed)
        async with httpx.AsyncClient(timeout=30) as client:
            while not self._stop:
                action = chance.choices(ACTIONS, [weight for _, weight in _WEIGHTED])[0]
                try:
                    await getattr(self, f"_{action}")(client, chance)
                except httpx.TransportError:
                    self.broken += 1

    async def call(  # noqa: PLR0917  # the last three make the request
        self, client: httpx.AsyncClient, chance: random.Random, action: str, person: Person, path: str, body: Any = None
    ) -> dict[str, Any] | None:
        """The reply's body if it was acknowledged. Half of the calls come under a key, and again until answered."""
        headers = dict(person.headers)
        keyed = action not in _NO_POST and chance.random() < 0.5
        if keyed:
            headers["Idempotency-Key"] = uuid4().hex
        tries_left = _LAST_TRIES
        while True:
            was_down = self.down
            url = f"{chance.choice(self.urls)}/api/v1{path}"
            reply = await client.request(_NO_POST.get(action, "POST"), url, json=body, headers=headers)
            answer = self.heard(action, reply, allowed=was_down or self.down)
            tries_left -= self._stop
            if not keyed or not _is_passing(reply) or tries_left < 0:
                return answer
            await asyncio.sleep(0.2)

    def heard(self, action: str, reply: httpx.Response, *, allowed: bool) -> dict[str, Any] | None:
        code = reply.json().get("code", "") if reply.content and reply.status_code >= 400 else ""
        self.replies[f"{action} {reply.status_code} {code}".strip()] += 1
        if reply.status_code >= 500 and not (allowed and reply.status_code in _AROUND_RESTARTS):
            self.unexpected.append(f"{action}: {reply.status_code} {reply.text[:200]}")
        if reply.status_code >= 400:
            return None
        return reply.json() if reply.content else {}

    def note(self, table: str, action: str, body: dict[str, Any] | None) -> bool:
        if body is None:
            return False
        self.told.append(Told(table, body["id"], body["status"], body["version"], action))
        return True

    # What buyers do

    async def _request(self, client: httpx.AsyncClient, chance: random.Random) -> None:
        item, buyer = chance.choice(self.items), chance.choice(self.buyers)
        body = await self.call(client, chance, "request", buyer, f"/listings/{item}/reservations", {})
        if body is not None and self.note("reservations", "request", body):
            self.reservations[body["id"]] = (item, buyer)
            self.chats[body["chat_id"]] = buyer

    async def _order(self, client: httpx.AsyncClient, chance: random.Random) -> None:
        wanted: dict[str, Any] = {"delivery": "MEETUP"}
        if self.reservations and chance.random() < 0.6:
            wanted["reservation_id"] = chance.choice(list(self.reservations))
            item, buyer = self.reservations[wanted["reservation_id"]]
        else:
            item, buyer = chance.choice(self.items), chance.choice(self.buyers)
            wanted["listing_id"] = item
        body = await self.call(client, chance, "order", buyer, "/orders", wanted)
        if body is not None and self.note("orders", "order", body):
            self.orders[body["id"]] = (item, buyer)

    async def _say(self, client: httpx.AsyncClient, chance: random.Random) -> None:
        if self.chats:
            chat, text = chance.choice(list(self.chats)), uuid4().hex
            buyer = self.chats[chat]
            if await self.call(client, chance, "say", buyer, f"/chats/{chat}/messages", {"body": text}) is not None:
                self.said.append((chat, text))

    # What either side does

    async def _reservation_move(self, client: httpx.AsyncClient, chance: random.Random) -> None:
        if self.reservations:
            # Late ones are the likely ones to be open still.
            found = list(self.reservations)[-60:]
            reservation_id = chance.choice(found)
            item, buyer = self.reservations[reservation_id]
            move = chance.choice(("accept", "accept", "accept", "reject", "cancel", "complete"))
            person = buyer if move == "cancel" and chance.random() < 0.5 else self.sellers[item]
            path = f"/reservations/{reservation_id}/{move}"
            self.note("reservations", move, await self.call(client, chance, move, person, path))

    async def _order_move(self, client: httpx.AsyncClient, chance: random.Random) -> None:
        if self.orders:
            order_id = chance.choice(list(self.orders)[-20:])
            item, buyer = self.orders[order_id]
            move = chance.choice(("cancel", "complete"))
            person = chance.choice((buyer, self.sellers[item]))
            body = await self.call(client, chance, f"order_{move}", person, f"/orders/{order_id}/{move}")
            self.note("orders", move, body)

    async def _listing_move(self, client: httpx.AsyncClient, chance: random.Random) -> None:
        item = chance.choice(self.items)
        move = chance.choices(("reserve", "unreserve", "sold", "delete"), (5, 12, 1, 0.3))[0]
        path = f"/listings/{item}" + ("" if move == "delete" else f"/{move}")
        body = await self.call(client, chance, move, self.sellers[item], path)
        if move == "delete" and body is not None:
            self.deleted.append(item)
        elif move != "delete":
            self.note("listings", move, body)

    async def _block(self, client: httpx.AsyncClient, chance: random.Random) -> None:
        buyer, seller = chance.choice(self.buyers), chance.choice(list(self.sellers.values()))
        if await self.call(client, chance, "block", buyer, f"/users/me/blocks/{seller.id}") is not None:
            self.blocked.append((buyer.id, seller.id))

    async def _payment(self, client: httpx.AsyncClient, chance: random.Random) -> None:
        """What the payments service tells, often twice."""
        if not self.orders:
            return
        order_id = chance.choice(list(self.orders)[-20:])
        kind = chance.choices(("succeeded", "failed", "refunded"), (6, 2, 1))[0]
        data = {"order_id": order_id, "payment_id": f"pay_{order_id}", **PRICE}
        now = datetime.now(UTC)
        event = {"type": f"payment.{kind}", "timestamp": now.isoformat(), "data": data}
        text, webhook_id = json.dumps(event), f"msg_{uuid4().hex}"
        headers = {
            "webhook-id": webhook_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(self.secret).sign(webhook_id, now, text),
            "content-type": "application/json",
        }
        for _ in range(chance.choice((1, 2))):
            was_down = self.down
            url = f"{chance.choice(self.urls)}/api/v1/webhooks/payments"
            reply = await client.post(url, content=text, headers=headers)
            self.heard(f"payment_{kind}", reply, allowed=was_down or self.down)

    async def lost(self, sql: Sql) -> list[Any]:
        """What was acknowledged, and is not so: a version that went back, an end that did not last, a lost message."""
        missing: list[Any] = []
        for table in ("listings", "reservations", "orders"):
            rows = {str(row["id"]): row for row in await sql.rows(f"SELECT id, status, version FROM {table}")}
            for told in [item for item in self.told if item.table == table]:
                row = rows.get(told.id)
                is_same = row is not None and (row["version"], row["status"]) == (told.version, told.status)
                went_on = row is not None and row["version"] > told.version and told.status not in _FINAL.get(table, ())
                refunded = row is not None and table == "orders" and row["status"] == "REFUNDED"
                if not (is_same or went_on or refunded or _is_flagged(told, row)):
                    missing.append((told, row))
        rows = await sql.rows("SELECT chat_id, body FROM messages WHERE kind <> 'SYSTEM'")
        stored = Counter((str(row["chat_id"]), row["body"]) for row in rows)
        missing.extend(item for item in self.said if stored[item] != 1)
        gone = {str(row["id"]) for row in await sql.rows("SELECT id FROM listings WHERE status = 'DELETED'")}
        apart = {
            (str(row["blocker_id"]), str(row["blocked_id"]))
            for row in await sql.rows("SELECT blocker_id, blocked_id FROM user_blocks")
        }
        return [*missing, *(set(self.deleted) - gone), *(set(self.blocked) - apart)]

    async def hurry(self, sql: Sql) -> None:
        """Have a few times run out now."""
        for table, statuses in (("reservations", [*OPEN]), ("orders", [*UNPAID])):
            await sql.execute(
                f"UPDATE {table} SET expires_at = clock_timestamp() WHERE id IN (SELECT id FROM {table} "
                "WHERE status = ANY ($1) AND random() < 0.1 FOR UPDATE SKIP LOCKED LIMIT 5)",
                statuses,
            )


def _is_passing(reply: httpx.Response) -> bool:
    if reply.status_code in _AROUND_RESTARTS:
        return True
    return reply.status_code == 409 and reply.json()["code"] == "idempotency_in_progress"


def _is_flagged(told: Told, row: dict[str, Any] | None) -> bool:
    """An order that has ended is written to once more when its payment comes late; it stays what it was."""
    return (
        row is not None and told.table == "orders" and row["status"] == told.status and row["version"] >= told.version
    )


_WEIGHTED = (
    ("request", 30.0),
    ("reservation_move", 34.0),
    ("order", 18.0),
    ("order_move", 10.0),
    ("payment", 12.0),
    ("listing_move", 12.0),
    ("say", 10.0),
    ("block", 1.0),
)
ACTIONS = [name for name, _ in _WEIGHTED]
