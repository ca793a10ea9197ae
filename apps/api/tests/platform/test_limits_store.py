"""The sliding window in memory: what it lets through, what it says to wait, and that it stays small."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from limits import RateLimitItemPerSecond

from memi.platform import limits_store
from memi.platform.limits_store import LocalCounter, Standing, standing


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(limits_store, "time", made)
    return made


ITEM = RateLimitItemPerSecond(10, 60, namespace="test")


async def burst(counter: LocalCounter, calls: int, key: str = "somebody") -> int:
    """How many of so many calls are let through."""
    return sum([(await counter.take(ITEM, key)).allowed for _ in range(calls)])


async def test_a_window_lets_through_its_number(clock: Clock) -> None:
    counter = LocalCounter()
    assert await burst(counter, 25) == 10
    assert await burst(counter, 25, "somebody else") == 10


async def test_no_double_burst_where_two_windows_meet(clock: Clock) -> None:
    counter = LocalCounter()
    clock.now += 59
    assert await burst(counter, 25) == 10
    clock.now += 2
    assert await burst(counter, 25) == 1  # the window before still weighs nearly all it had
    clock.now += 30
    assert await burst(counter, 25) == 5


async def test_what_remains_and_until_when(clock: Clock) -> None:
    counter = LocalCounter()
    clock.now += 15
    assert await counter.take(ITEM, "x") == Standing(True, 9, pytest.approx(45))  # pyright: ignore[reportArgumentType]
    for _ in range(9):
        last = await counter.take(ITEM, "x")
    assert last.remaining == 0
    refused = await counter.take(ITEM, "x")
    assert (refused.allowed, refused.remaining) == (False, 0)
    assert refused.reset == pytest.approx(45)


async def test_a_window_long_past_weighs_nothing(clock: Clock) -> None:
    counter = LocalCounter()
    await burst(counter, 10)
    clock.now += 120
    assert await burst(counter, 25) == 10


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 30),
    st.integers(1, 300),
    st.lists(st.tuples(st.floats(0, 400), st.integers(1, 40)), min_size=1, max_size=12),
)
def test_coming_back_after_the_time_that_was_told_is_coming_back_in_time(
    calls: int, seconds: int, visits: list[tuple[float, int]]
) -> None:
    clock, item = Clock(), RateLimitItemPerSecond(calls, seconds, namespace="test")

    async def run() -> None:
        counter = LocalCounter()
        for pause, number in visits:
            clock.now += pause
            for _ in range(number):
                stands = await counter.take(item, "x")
                if not stands.allowed:
                    assert 0 <= stands.reset <= 2 * seconds
                    clock.now += stands.reset + 0.001
                    assert (await counter.take(item, "x")).allowed
                else:
                    assert 0 <= stands.remaining < calls

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(limits_store, "time", clock)
        asyncio.run(run())


async def test_the_one_asked_for_longest_ago_makes_room(clock: Clock) -> None:
    counter = LocalCounter(kept=3)
    for key in ("a", "b", "c"):
        assert await burst(counter, 20, key) == 10
    assert not (await counter.take(ITEM, "a")).allowed  # asked for again: now the newest
    await burst(counter, 1, "d")
    assert len(counter.storage) == 3
    assert not (await counter.take(ITEM, "a")).allowed
    assert not (await counter.take(ITEM, "c")).allowed
    assert (await counter.take(ITEM, "b")).allowed


async def test_it_never_grows_beyond_its_bound() -> None:
    counter = LocalCounter(kept=100)
    for number in range(1000):
        await counter.take(ITEM, f"stranger {number}")
    assert len(counter.storage) == 100
    assert counter.storage.timer is None  # and nothing of the library's goes through them all


async def test_clearing(clock: Clock) -> None:
    counter = LocalCounter()
    await burst(counter, 10, "a")
    await burst(counter, 10, "b")
    await counter.storage.clear_sliding_window(ITEM.key_for("a"), ITEM.get_expiry())
    assert await burst(counter, 20, "a") == 10
    assert await counter.storage.reset() == 2
    assert await burst(counter, 20, "b") == 10


def test_a_counter_that_moved_on_between_two_questions_is_read_as_it_is() -> None:
    """Another process may count between the call and the look at its window."""
    assert standing(True, 10, 60, (0, 0.0, 12, 90.0)).remaining == 0
    assert standing(False, 10, 60, (0, 0.0, 3, 90.0)) == Standing(False, 0, 0.0)
