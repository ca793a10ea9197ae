"""A time that runs out while its deal is being confirmed: whoever comes first, it ends in one consistent state."""

import asyncio
import random
import sys
from collections import Counter
from dataclasses import dataclass
from uuid import UUID

import httpx
import pytest

from memi.orders.jobs import expire_orders
from memi.platform.runtime import Runtime
from memi.reservations.jobs import expire_reservations
from support.accounts import accounts, tokens_of
from support.many_items import items
from support.orders import INVARIANTS
from support.people import Person
from support.sql import Sql

RACES = 1000
AT_ONCE = 25
"""Items raced over together."""
FIRST_SPREAD_MS = 300.0
"""The times of a lot run out within so long; led to how long answering one takes, so that either may come first."""
_HURRY = "UPDATE {table} SET expires_at = clock_timestamp() + random() * $2 * interval '1 ms' WHERE id = ANY ($1)"
_ENDED = {
    "accept": ("reservations", "ACCEPTED", "EXPIRED"),
    "complete": ("reservations", "COMPLETED", "EXPIRED"),
    "order": ("reservations", "ACCEPTED", "EXPIRED"),
    "complete_order": ("orders", "COMPLETED", "CANCELLED"),
}


@dataclass
class Race:
    """One confirmation against its clock."""

    id: str
    item: str
    buyer: Person
    seller: Person
    kind: str

    async def confirm(self) -> httpx.Response:
        if self.kind == "order":
            return await self.buyer.post("/orders", {"reservation_id": self.id, "delivery": "MEETUP"})
        if self.kind == "complete_order":
            return await self.buyer.post(f"/orders/{self.id}/complete")
        return await self.seller.post(f"/reservations/{self.id}/{self.kind}")


async def made(number: int, kind: str, seller: Person, buyer: Person, sql: Sql) -> list[Race]:
    """Deals that wait for their confirmation, made as people make them."""

    async def prepare(item: str) -> Race:
        if kind == "complete_order":
            reply = await buyer.post("/orders", {"listing_id": item, "delivery": "MEETUP"})
        else:
            reply = await buyer.post(f"/listings/{item}/reservations", {})
        assert reply.status_code == 201, reply.text
        race = Race(reply.json()["id"], item, buyer, seller, kind)
        if kind in ("complete", "order"):
            assert (await seller.post(f"/reservations/{race.id}/accept")).status_code == 200
        return race

    return list(await asyncio.gather(*(prepare(item) for item in await items([seller] * number, sql))))


@pytest.mark.parametrize("kind", _ENDED)
async def test_a_confirmation_against_the_end_of_its_time_has_one_outcome(
    kind: str, runtime: Runtime, client: httpx.AsyncClient, sql: Sql
) -> None:
    seller, buyer = await accounts(2, client, tokens_of(runtime), sql)
    outcomes: Counter[str] = Counter()
    spread = FIRST_SPREAD_MS
    for _ in range(RACES // len(_ENDED) // AT_ONCE):
        races = await made(AT_ONCE, kind, seller, buyer, sql)
        ended = await raced(races, spread, runtime, sql)
        spread *= 1.5 if ended.count("too late") > AT_ONCE / 2 else 0.7
        outcomes.update(ended)
        broken = {name: rows for name, query in INVARIANTS.items() if (rows := await sql.rows(query))}
        assert broken == {}
    sys.stdout.write(f"{kind}: {dict(outcomes)}\n")
    assert outcomes.total() == RACES // len(_ENDED)
    assert set(outcomes) == {"in time", "too late"}


async def raced(races: list[Race], spread: float, runtime: Runtime, sql: Sql) -> list[str]:
    """Confirm each while its time runs out and the clock's jobs come by; what each ended as."""
    kind = races[0].kind
    table, _, _ = _ENDED[kind]
    await sql.execute(_HURRY.format(table=table), [UUID(race.id) for race in races], spread)
    over = asyncio.Event()

    async def clock() -> None:
        while not over.is_set():
            await expire_orders.run(runtime)
            await expire_reservations.run(runtime)
            await asyncio.sleep(0.01)

    async def confirm(race: Race) -> httpx.Response:
        await asyncio.sleep(random.uniform(0, spread / 1000))
        return await race.confirm()

    running = asyncio.create_task(clock())
    replies = await asyncio.gather(*(confirm(race) for race in races))
    over.set()
    await running
    await asyncio.sleep(spread / 1000)
    # An acceptance or order that came in time has a new time of its own; all the others are over by now.
    await expire_orders.run(runtime)
    await expire_reservations.run(runtime)
    return [await outcome(race, reply, sql) for race, reply in zip(races, replies, strict=True)]


async def outcome(race: Race, reply: httpx.Response, sql: Sql) -> str:
    """What the caller was told, which must be what is stored, of the item too."""
    table, confirmed, lapsed = _ENDED[race.kind]
    status = await sql.value(f"SELECT status FROM {table} WHERE id = $1", UUID(race.id))
    listing = await sql.value("SELECT status FROM listings WHERE id = $1", UUID(race.item))
    if reply.status_code < 300:
        assert status == confirmed
        assert listing == ("SOLD" if confirmed == "COMPLETED" else "RESERVED")
        return "in time"
    codes = {"illegal_transition", "reservation_not_accepted"}
    assert (reply.status_code, reply.json()["code"] in codes) == (409, True), reply.text
    assert (status, listing) == (lapsed, "ACTIVE")
    return "too late"
