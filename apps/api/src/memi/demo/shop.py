"""The demo shop: some hundred listings, made the way sellers make them, so that browsing has something to show.

Every picture is drawn, put to its presigned address, processed by the worker and only then published with its listing.
Filling is repeatable: the plan is the same each time, and what an earlier, perhaps killed run made is left out.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import httpx

from memi.demo.logins import SELLER
from memi.demo.pictures import draw_picture
from memi.demo.wording import SELLERS, Item, make_item
from memi.listings import service as listings
from memi.listings.schemas import ListingCreate, MoneyInput
from memi.media import service as media
from memi.media.schemas import UploadCreate
from memi.platform import clock
from memi.platform.permissions import Role
from memi.platform.runtime import Runtime
from memi.users import service as users

LISTINGS = 320
_WIDTH, _HEIGHT = 1080, 1440
_AT_ONCE = 6
_PROCESSING_SECONDS = 120.0
_POLL_SECONDS = 0.3
_RESERVED_EVERY, _SOLD_EVERY = 17, 41


class DemoShopFailed(Exception):
    """A picture or listing of the demo shop was refused or got stuck; the message says which."""


@dataclass(frozen=True)
class _Wanted:
    number: int
    seller: int
    item: Item


def plan(count: int = LISTINGS) -> Iterator[tuple[int, Item]]:
    """(seller's number, item) for each listing, always the same; no seller offers the same title twice."""
    titles: set[tuple[int, str]] = set()
    seed = made = 0
    while made < count:
        item, seller = make_item(seed), made % (len(SELLERS) + 1)
        seed += 1
        if (seller, item.title) in titles:
            continue
        titles.add((seller, item.title))
        made += 1
        yield seller, item


async def fill_shop(runtime: Runtime, done_file: Path, report: Callable[[int, int], None]) -> None:
    """Make what is missing of the demo shop; `report` is told (made so far, of how many). Needs the API and a worker.

    `done_file` remembers that this database's shop was filled, so that what people delete afterwards stays deleted.
    Raises `DemoShopFailed`.
    """
    sellers = await _sellers(runtime)
    finished = str(sellers[0])
    if done_file.exists() and done_file.read_text() == finished:
        return
    present = {seller_id: await _titles(runtime, seller_id) for seller_id in sellers}
    wanted = [_Wanted(number, seller, item) for number, (seller, item) in enumerate(plan())]
    missing = [entry for entry in wanted if entry.item.title not in present[sellers[entry.seller]]]
    made = len(wanted) - len(missing)
    queue = iter(missing)
    locks = [asyncio.Lock() for _ in sellers]

    async def work(client: httpx.AsyncClient) -> None:
        nonlocal made
        for entry in queue:
            await _offer(runtime, client, sellers[entry.seller], entry, locks[entry.seller])
            made += 1
            report(made, len(wanted))

    try:
        async with httpx.AsyncClient(timeout=30) as client, asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(work(client))
    except ExceptionGroup as failures:
        raise DemoShopFailed(str(failures.exceptions[0])) from failures
    done_file.write_text(finished)


async def _sellers(runtime: Runtime) -> list[UUID]:
    """Ids of the demo seller and the other sellers, whose accounts nobody can sign in to."""
    people = [(SELLER.email, SELLER.name)]
    people += [(f"demo-seller-{number:02}@memi.example", name) for number, name in enumerate(SELLERS, 1)]
    cities = [item.city for _, item in zip(people, (make_item(seed) for seed in range(len(people))), strict=True)]
    found: list[UUID] = []
    async with runtime.unit_of_work() as session:
        for (email, name), city in zip(people, cities, strict=True):
            user = await users.find_by_email(session, email) or await users.create(
                session,
                email=email,
                name=name,
                password_hash=None,
                city=city,
                roles=(Role.USER, Role.SELLER),
                verified_at=clock.now(),
            )
            found.append(user.id)
    return found


async def _titles(runtime: Runtime, seller_id: UUID) -> set[str]:
    async with runtime.unit_of_work() as session:
        ids = await listings.owned(session, seller_id, None, None, LISTINGS)
        return {stub.title for stub in (await listings.stubs(session, ids)).values()}


async def _offer(
    runtime: Runtime, client: httpx.AsyncClient, seller_id: UUID, wanted: _Wanted, lock: asyncio.Lock
) -> None:
    item = wanted.item
    picture = await asyncio.to_thread(
        draw_picture, wanted.number, category=item.category, color_hex=item.color_hex, width=_WIDTH, height=_HEIGHT
    )
    upload_id = await _upload(runtime, client, seller_id, f"demo-{wanted.number:03}.jpg", picture)
    # One seller's listings are made one after the other, because each counts in the same row of the seller's numbers.
    async with lock, runtime.unit_of_work() as session:
        listing = await listings.create(session, seller_id, _as_entered(item, upload_id, runtime.settings.currency))
        if wanted.number % _SOLD_EVERY == _SOLD_EVERY - 1:
            await listings.sold(session, listing, None)
        elif wanted.number % _RESERVED_EVERY == _RESERVED_EVERY - 1:
            await listings.reserve(session, listing, None)


async def _upload(runtime: Runtime, client: httpx.AsyncClient, owner_id: UUID, filename: str, picture: bytes) -> UUID:
    announced = UploadCreate(filename=filename, content_type="image/jpeg", size=len(picture))
    async with runtime.unit_of_work() as session:
        ticket = await media.create(session, owner_id, announced)
    reply = await client.request(ticket.method, ticket.url, headers=ticket.headers, content=picture)
    if not reply.is_success:
        raise DemoShopFailed(f"{filename} was not taken: {reply.status_code} {reply.text[:200]}")
    async with runtime.unit_of_work() as session:
        await media.complete(session, owner_id, ticket.id)
    deadline = time.monotonic() + _PROCESSING_SECONDS
    while True:
        async with runtime.unit_of_work() as session:
            upload = await media.read(session, owner_id, ticket.id)
        if upload.status == "READY":
            return upload.id
        if upload.status == "REJECTED":
            raise DemoShopFailed(f"{filename} was refused: {upload.code}")
        if time.monotonic() > deadline:
            raise DemoShopFailed(f"{filename} was not processed in {_PROCESSING_SECONDS:.0f} s: does a worker run?")
        await asyncio.sleep(_POLL_SECONDS)


def _as_entered(item: Item, upload_id: UUID, currency: str) -> ListingCreate:
    return ListingCreate(
        title=item.title,
        description=item.description,
        price=MoneyInput(amount=item.price, currency=currency),
        condition=item.condition,
        category=item.category,
        size=item.size,
        color=item.color,
        brand=item.brand,
        material=item.material,
        city=item.city,
        images=[upload_id],
        publish=True,
    )
