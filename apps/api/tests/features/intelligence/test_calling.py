"""One plug-in, and everything it can do wrong: the caller loses its time limit at most, and nothing else."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import msgspec
import pytest
import structlog

from memi.intelligence.calling import Answer, Limits, Seat
from memi.intelligence.ports import PRICE_ADVISER, Item, PriceAdvice, PriceQuestion
from memi.intelligence.threads import NoThread, Threads

LIMIT = 0.15
GOOD = PriceAdvice(low=1, typical=2, high=3)
QUESTION = PriceQuestion(
    item=Item(
        listing_id=UUID(int=7),
        title="Coat",
        description="",
        price=None,
        currency="AZN",
        categories=(),
        condition=None,
        size=None,
        color=None,
        brand=None,
        material=None,
        city=None,
        attributes={},
        pictures=0,
    ),
    comparables=(),
)


def plain(work: Callable[[PriceQuestion], Any]) -> Any:
    """A plug-in whose method does this in a thread."""

    class Plain:
        def advise(self, question: PriceQuestion) -> Any:
            return work(question)

    return Plain()


def on_loop(work: Callable[[PriceQuestion], Any]) -> Any:
    """A plug-in whose method does this on the event loop."""

    class OnLoop:
        async def advise(self, question: PriceQuestion) -> Any:
            return await work(question)

    return OnLoop()


Plugged = Callable[..., "Seat[Any, Any]"]


@pytest.fixture
def plug() -> Iterator[Plugged]:
    """Put a plug-in in its place; `release` of what hangs is up to the test."""
    made: list[Seat[Any, Any]] = []

    def make(plugin: Any, *, failures: int = 100, pause: float = 30, threads: int = 2) -> Seat[Any, Any]:
        limits = Limits(seconds=LIMIT, threads=threads, failures=failures, pause=pause)
        made.append(Seat(PRICE_ADVISER, plugin, "a-package", "1.0", limits))
        return made[-1]

    yield make
    for seat in made:
        seat.close()


@pytest.fixture
def hanging() -> Iterator[threading.Event]:
    """Work that waits for it hangs until the test has ended."""
    event = threading.Event()
    yield event
    event.set()


async def timed(seat: Seat[Any, Any]) -> tuple[Answer[Any], float]:
    began = time.monotonic()
    answer = await seat.ask(QUESTION)
    return answer, time.monotonic() - began


def threads_of_plugins() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("intelligence-")}


class TestAnswers:
    async def test_of_a_plain_one_come_from_a_thread(self, plug: Plugged) -> None:
        places: list[threading.Thread] = []

        def work(question: PriceQuestion) -> PriceAdvice:
            places.append(threading.current_thread())
            assert question == QUESTION
            return GOOD

        answer = await plug(plain(work)).ask(QUESTION)
        assert (answer.outcome, answer.value, answer.plugin, answer.version) == ("OK", GOOD, "a-package", "1.0")
        assert places[0] is not threading.main_thread()
        assert places[0].daemon

    async def test_of_an_async_one_come_from_the_loop(self, plug: Plugged) -> None:
        places: list[threading.Thread] = []

        async def work(_: PriceQuestion) -> PriceAdvice:
            await asyncio.sleep(0)
            places.append(threading.current_thread())
            return GOOD

        answer = await plug(on_loop(work)).ask(QUESTION)
        assert (answer.outcome, answer.value) == ("OK", GOOD)
        assert places == [threading.current_thread()]
        assert answer.took_ms < LIMIT * 1000

    @pytest.mark.parametrize("kind", [plain, None])
    async def test_none_is_an_answer(self, plug: Plugged, kind: Any) -> None:
        async def nothing(_: PriceQuestion) -> None:
            return None

        plugin = plain(lambda _: None) if kind else on_loop(nothing)
        answer = await plug(plugin).ask(QUESTION)
        assert (answer.outcome, answer.value) == ("OK", None)

    async def test_are_copies_that_the_plug_in_cannot_change_any_more(self, plug: Plugged) -> None:
        answer = await plug(plain(lambda _: GOOD)).ask(QUESTION)
        assert answer.value == GOOD
        assert answer.value is not GOOD


async def _coroutine() -> PriceAdvice:
    return GOOD


def _made_wrong(**fields: Any) -> PriceAdvice:
    """As a plug-in can, past every check of its own."""
    made = PriceAdvice(low=1, typical=2, high=3)
    for name, value in fields.items():
        msgspec.structs.force_setattr(made, name, value)
    return made


NONSENSE: dict[str, Any] = {
    "a number": 5,
    "a dict of the right names": {"low": 1, "typical": 2, "high": 3},
    "a class": PriceAdvice,
    "a price of nothing": _made_wrong(low=0),
    "more money than there is": _made_wrong(high=10**16),
    "more digits than a number has": _made_wrong(high=10**400),
    "upside down": _made_wrong(low=9),
    "text for a price": _made_wrong(typical="2"),
    "half a qapik": _made_wrong(typical=2.5),
    "no number at all": _made_wrong(typical=float("nan")),
}


class TestNonsense:
    @pytest.mark.parametrize("what", NONSENSE)
    @pytest.mark.parametrize("is_async", [False, True], ids=["plain", "async"])
    async def test_is_no_answer(self, plug: Plugged, what: str, is_async: bool) -> None:
        async def work(_: PriceQuestion) -> Any:
            return NONSENSE[what]

        answer = await plug(on_loop(work) if is_async else plain(lambda _: NONSENSE[what])).ask(QUESTION)
        assert (answer.outcome, answer.value) == ("ERROR", None)

    async def test_a_coroutine_of_a_plain_method_is_closed(self, plug: Plugged) -> None:
        """Were it left, the interpreter would warn, which fails the test."""
        answer = await plug(plain(lambda _: _coroutine())).ask(QUESTION)
        assert answer.outcome == "ERROR"

    @pytest.mark.parametrize("error", [ValueError("personal words"), StopIteration(), SystemExit(3), MemoryError()])
    @pytest.mark.parametrize("is_async", [False, True], ids=["plain", "async"])
    async def test_so_is_whatever_it_raises(self, plug: Plugged, error: BaseException, is_async: bool) -> None:
        def fail(_: PriceQuestion) -> Any:
            raise error

        async def fail_async(question: PriceQuestion) -> Any:
            fail(question)

        seat = plug(on_loop(fail_async) if is_async else plain(fail))
        with structlog.testing.capture_logs() as logs:
            assert (await seat.ask(QUESTION)).outcome == "ERROR"
        assert (logs[0]["event"], logs[0]["plugin"]) == ("intelligence_failed", "a-package")
        assert "test_calling.py" in logs[0]["at"]
        assert "personal words" not in repr(logs)


class TestTime:
    async def test_a_plain_one_that_hangs_costs_the_limit(self, plug: Plugged, hanging: threading.Event) -> None:
        answer, took = await timed(plug(plain(lambda _: hanging.wait())))
        assert (answer.outcome, answer.value) == ("TIMEOUT", None)
        assert LIMIT <= took < LIMIT + 0.5

    async def test_an_async_one_that_hangs_costs_the_limit_and_is_cancelled(self, plug: Plugged) -> None:
        cancelled = asyncio.Event()

        async def hang(_: PriceQuestion) -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.set()
                raise

        answer, took = await timed(plug(on_loop(hang)))
        assert (answer.outcome, answer.value) == ("TIMEOUT", None)
        assert LIMIT <= took < LIMIT + 0.5
        async with asyncio.timeout(1):
            await cancelled.wait()

    async def test_one_that_will_not_be_cancelled_is_left_behind(self, plug: Plugged) -> None:
        enough = asyncio.Event()

        async def stubborn(_: PriceQuestion) -> PriceAdvice:
            while not enough.is_set():
                try:
                    await enough.wait()
                except asyncio.CancelledError:
                    continue
            return GOOD

        seat = plug(on_loop(stubborn))
        answer, took = await timed(seat)
        assert answer.outcome == "TIMEOUT"
        assert took < LIMIT + 0.5
        await asyncio.gather(*(seat.ask(QUESTION) for _ in range(40)))
        answer, took = await timed(seat)
        assert (answer.outcome, took < LIMIT / 2) == ("SKIPPED", True), "so many are left behind that none is added"
        enough.set()
        await asyncio.sleep(0.05)
        assert (await seat.ask(QUESTION)).value == GOOD

    async def test_the_loop_goes_on_while_a_plain_one_hangs(self, plug: Plugged, hanging: threading.Event) -> None:
        asked = asyncio.create_task(plug(plain(lambda _: hanging.wait())).ask(QUESTION))
        turns = 0
        while not asked.done():
            await asyncio.sleep(0.01)
            turns += 1
        assert turns > 5

    async def test_one_that_blocks_the_loop_is_told_of_and_counts_as_late(self, plug: Plugged) -> None:
        async def block(_: PriceQuestion) -> PriceAdvice:
            time.sleep(LIMIT * 2)
            return GOOD

        with structlog.testing.capture_logs() as logs:
            answer = await plug(on_loop(block)).ask(QUESTION)
        assert (answer.outcome, answer.value) == ("TIMEOUT", None)
        told = next(item for item in logs if item["event"] == "intelligence_blocks_the_loop")
        assert told["longest_ms"] >= 250

    async def test_whoever_stops_waiting_leaves_nothing_behind(self, plug: Plugged) -> None:
        begun, ended = asyncio.Event(), asyncio.Event()

        async def slow(_: PriceQuestion) -> None:
            begun.set()
            try:
                await asyncio.sleep(60)
            finally:
                ended.set()

        asked = asyncio.create_task(plug(on_loop(slow)).ask(QUESTION))
        await begun.wait()
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        async with asyncio.timeout(1):
            await ended.wait()


class TestThreads:
    async def test_none_is_made_before_the_first_question(self, plug: Plugged) -> None:
        before = threads_of_plugins()
        seat = plug(plain(lambda _: GOOD))
        assert threads_of_plugins() == before
        await seat.ask(QUESTION)
        assert threads_of_plugins() == {*before, "intelligence-price_adviser-1"}

    async def test_when_all_hang_the_next_answer_comes_at_once(self, plug: Plugged, hanging: threading.Event) -> None:
        seat = plug(plain(lambda _: hanging.wait() and None))
        answers = await asyncio.gather(*(seat.ask(QUESTION) for _ in range(6)))
        assert sorted(answer.outcome for answer in answers) == ["SKIPPED"] * 4 + ["TIMEOUT"] * 2
        for _ in range(20):
            answer, took = await timed(seat)
            assert (answer.outcome, took < LIMIT / 2) == ("SKIPPED", True)
        assert seat.is_left_alone
        hanging.set()
        await asyncio.sleep(0.05)
        assert (await seat.ask(QUESTION)).outcome == "OK", "the threads came back"
        assert not seat.is_left_alone

    async def test_another_plug_in_has_threads_of_its_own(self, plug: Plugged, hanging: threading.Event) -> None:
        stuck = plug(plain(lambda _: hanging.wait()))
        await asyncio.gather(*(stuck.ask(QUESTION) for _ in range(4)))
        assert (await plug(plain(lambda _: GOOD)).ask(QUESTION)).value == GOOD

    async def test_more_at_once_than_threads_wait_their_turn(self, plug: Plugged) -> None:
        running: list[int] = []
        most = 0

        def work(_: PriceQuestion) -> PriceAdvice:
            nonlocal most
            running.append(1)
            most = max(most, len(running))
            time.sleep(0.01)
            running.pop()
            return GOOD

        seat = plug(plain(work))
        answers = await asyncio.gather(*(seat.ask(QUESTION) for _ in range(10)))
        assert {answer.outcome for answer in answers} == {"OK"}
        assert most <= 2

    async def test_those_that_wait_are_few(self, hanging: threading.Event) -> None:
        threads = Threads("intelligence-few", 1)
        calls = [threads.submit(hanging.wait) for _ in range(17)]
        with pytest.raises(NoThread):
            threads.submit(hanging.wait)
        for call in calls[1:]:
            threads.forget(call)
        threads.submit(hanging.wait)
        threads.close()

    async def test_what_was_given_up_before_its_turn_is_never_done(self, hanging: threading.Event) -> None:
        threads = Threads("intelligence-turns", 1)
        done: list[int] = []
        first = threads.submit(hanging.wait)
        second = threads.submit(lambda: done.append(2))
        threads.forget(second)
        hanging.set()
        await first.future
        third = threads.submit(lambda: done.append(3))
        await third.future
        assert done == [3]
        threads.close()

    async def test_a_hanging_one_does_not_hold_up_the_end(self, plug: Plugged, hanging: threading.Event) -> None:
        seat = plug(plain(lambda _: hanging.wait()))
        await seat.ask(QUESTION)
        seat.close()
        stuck = [thread for thread in threading.enumerate() if thread.name == "intelligence-price_adviser-1"]
        assert stuck
        assert all(thread.daemon for thread in stuck)


class TestBreaker:
    async def test_after_so_many_failures_it_is_left_alone_and_then_tried_by_one(self, plug: Plugged) -> None:
        asked: list[str] = []
        fails = True

        async def work(_: PriceQuestion) -> PriceAdvice:
            asked.append("asked")
            await asyncio.sleep(0.01)
            if fails:
                raise ValueError
            return GOOD

        seat = plug(on_loop(work), failures=3, pause=0.2)
        assert [(await seat.ask(QUESTION)).outcome for _ in range(5)] == ["ERROR"] * 3 + ["SKIPPED"] * 2
        assert (len(asked), seat.is_left_alone) == (3, True)
        await asyncio.sleep(0.25)
        answers = await asyncio.gather(*(seat.ask(QUESTION) for _ in range(5)))
        assert sorted(answer.outcome for answer in answers) == ["ERROR"] + ["SKIPPED"] * 4
        assert len(asked) == 4
        fails = False
        await asyncio.sleep(0.25)
        assert [(await seat.ask(QUESTION)).outcome for _ in range(3)] == ["OK"] * 3
        assert not seat.is_left_alone

    async def test_only_failures_in_a_row_count(self, plug: Plugged) -> None:
        turn = 0

        def work(_: PriceQuestion) -> PriceAdvice:
            nonlocal turn
            turn += 1
            if turn % 3:
                raise ValueError
            return GOOD

        seat = plug(plain(work), failures=3)
        outcomes = [(await seat.ask(QUESTION)).outcome for _ in range(9)]
        assert outcomes == ["ERROR", "ERROR", "OK"] * 3

    async def test_who_tries_and_goes_away_lets_another_try(self, plug: Plugged) -> None:
        release = asyncio.Event()

        async def work(_: PriceQuestion) -> PriceAdvice:
            await release.wait()
            return GOOD

        seat = plug(on_loop(work), failures=1, pause=0.1)
        assert (await seat.ask(QUESTION)).outcome == "TIMEOUT"
        await asyncio.sleep(0.15)
        probe = asyncio.create_task(seat.ask(QUESTION))
        await asyncio.sleep(0.02)
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
        release.set()
        assert (await seat.ask(QUESTION)).outcome == "OK"
