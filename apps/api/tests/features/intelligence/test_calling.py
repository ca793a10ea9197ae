"""One plug-in, and everything it can do wrong: the caller loses its time limit at most, and nothing else."""

import asyncio
import threading
import time
from typing import Any

import msgspec
import pytest
import structlog

from memi.intelligence.ports import PriceAdvice, PriceQuestion
from support.seats import GOOD, LIMIT, QUESTION, Plugged, on_loop, plain, timed
from support.seats import hanging as hanging
from support.seats import plug as plug


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

    async def test_so_is_one_that_cannot_be_called_with_a_question(self, plug: Plugged) -> None:
        class Forgetful:
            async def advise(self) -> PriceAdvice:
                return GOOD

        answer = await plug(Forgetful()).ask(QUESTION)
        assert (answer.outcome, answer.value) == ("ERROR", None)


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
