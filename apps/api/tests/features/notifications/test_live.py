"""What is told reaches open sockets: once each, and although pokes get lost."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec

from memi.notifications import service
from memi.platform.principal import AccessTokens
from memi.platform.runtime import Runtime
from memi.realtime.connection import Connection
from memi.realtime.hub import Hub
from support.deals import Deals
from support.people import People, Person

READY = '{"type":"ready"}'
Frames = list[dict[str, Any]]


@asynccontextmanager
async def socket(runtime: Runtime, person: Person) -> AsyncIterator[Frames]:
    """The frames that an open socket of the person gets."""
    got: Frames = []

    async def send(message: Any) -> None:
        got.append(msgspec.json.decode(message["text"]))

    hub = runtime.adapters.get(Hub)
    principal = runtime.adapters.get(AccessTokens).read(person.access_token)
    connection = Connection(send, principal, queue=64, give_up_seconds=5)
    await hub.attach(connection, READY)
    try:
        yield got
    finally:
        hub.detach(connection)
        await connection.finish()


def of(frames: Frames, kind: str) -> Frames:
    return [frame for frame in frames if frame["type"] == kind]


async def until(condition: Callable[[], bool], seconds: float = 8) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


async def tell(runtime: Runtime, person: Person, number: int) -> None:
    async with runtime.unit_of_work() as session:
        await service.notify(session, UUID(person.id), "GENERIC", "test.told", {"number": number}, f"live:{uuid4()}")


async def test_every_socket_gets_what_is_new_once_and_in_order(
    client: httpx.AsyncClient, people: People, runtime: Runtime
) -> None:
    person, other = await people.new(), await people.new()
    await tell(runtime, person, -1)
    async with (
        socket(runtime, person) as first,
        socket(runtime, person) as second,
        socket(runtime, other) as third,
    ):
        for number in range(5):
            await tell(runtime, person, number)
        await until(
            lambda: len(of(first, "notification.created")) >= 5 and len(of(second, "notification.created")) >= 5
        )
        hub = runtime.adapters.get(Hub)
        for key in (person.id, other.id):
            hub.poke(service.TOPIC, key)
        await asyncio.sleep(0.3)
        for frames in (first, second):
            assert [frame["data"]["data"]["number"] for frame in of(frames, "notification.created")] == [0, 1, 2, 3, 4]
        assert of(third, "notification.created") == []
        shown = (await person.get("/notifications?limit=1")).json()["items"][0]
        assert of(first, "notification.created")[-1]["data"] == shown


async def test_a_lost_poke_is_made_up_for(client: httpx.AsyncClient, people: People, runtime: Runtime) -> None:
    person = await people.new()
    async with socket(runtime, person) as frames:
        await asyncio.sleep(0.2)
        async with runtime.database.sessions.begin() as unpoked:
            await service.notify(unpoked, UUID(person.id), "GENERIC", "test.told", {}, f"lost:{uuid4()}")
        await until(lambda: len(of(frames, "notification.created")) == 1)


async def test_both_sides_see_a_reservation_move(client: httpx.AsyncClient, deals: Deals, runtime: Runtime) -> None:
    deal = await deals.new()
    async with socket(runtime, deal.buyer) as buyer, socket(runtime, deal.seller) as seller:
        accepted = await deal.must(deal.seller, "accept")
        await until(lambda: bool(of(buyer, "reservation.updated") and of(seller, "reservation.updated")))
        await deal.must(deal.buyer, "cancel")
        await until(lambda: min(len(of(side, "reservation.updated")) for side in (buyer, seller)) == 2)
        for side in (buyer, seller):
            seen = [frame["data"] for frame in of(side, "reservation.updated")]
            assert [one["status"] for one in seen] == ["ACCEPTED", "CANCELLED"]
            assert seen[0]["id"] == accepted["id"]
