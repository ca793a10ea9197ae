"""Requests that change something come in one at a turn of the loop, so that reads in between do not wait for all."""

import asyncio
from itertools import pairwise

from memi.platform.entrance import Entrance


async def test_who_comes_alone_does_not_wait() -> None:
    entrance = Entrance()
    turned: list[None] = []
    asyncio.get_running_loop().call_soon(turned.append, None)
    await entrance.enter()
    assert not turned


async def test_a_crowd_comes_in_one_after_the_other_in_order_and_others_in_between() -> None:
    entrance = Entrance()
    seen: list[str] = []

    async def write(number: int) -> None:
        await entrance.enter()
        seen.append(f"write {number}")

    async def read() -> None:
        for _ in range(20):
            seen.append("read")
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(write(number))
        group.create_task(read())
    assert [step for step in seen if step != "read"] == [f"write {number}" for number in range(5)]
    places = [place for place, step in enumerate(seen) if step != "read"]
    assert all("read" in seen[earlier:later] for earlier, later in pairwise(places))


async def test_one_who_gives_up_waiting_keeps_nobody_out() -> None:
    entrance = Entrance()
    _, leaving, staying = (asyncio.ensure_future(entrance.enter()) for _ in range(3))
    await asyncio.sleep(0)  # the first is in, the others wait
    leaving.cancel()
    async with asyncio.timeout(1):
        await staying
    assert leaving.cancelled()
    async with asyncio.timeout(1):
        await entrance.enter()
