"""Limits that share one timer."""

import asyncio

import pytest

from memi.platform.time_limit import TimeLimits


async def test_work_in_time_is_left_alone() -> None:
    limits = TimeLimits(0.01)
    with limits.of(1):
        await asyncio.sleep(0.03)


async def test_work_past_its_time_is_cancelled_and_told_so() -> None:
    limits = TimeLimits(0.01)
    with pytest.raises(TimeoutError), limits.of(0.03):
        await asyncio.sleep(5)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_limit_can_be_suspended_and_extended() -> None:
    limits = TimeLimits(0.01)
    with limits.of(0.02) as limit:
        limit.suspend()
        await asyncio.sleep(0.06)
        limit.extend(1)
        await asyncio.sleep(0.03)
    assert not limit.struck


async def test_a_cancellation_by_others_stays_one() -> None:
    limits = TimeLimits(0.01)

    async def work() -> None:
        with limits.of(5):
            await asyncio.sleep(5)

    task = asyncio.create_task(work())
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_each_task_has_its_own_limit() -> None:
    limits = TimeLimits(0.01)

    async def work(seconds: float) -> str:
        try:
            with limits.of(seconds):
                await asyncio.sleep(0.1)
        except TimeoutError:
            return "late"
        return "done"

    assert await asyncio.gather(work(0.02), work(1), work(0.03)) == ["late", "done", "late"]
