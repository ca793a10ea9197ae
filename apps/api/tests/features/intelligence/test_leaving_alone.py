"""A plug-in that hangs or fails again and again: how much of the process it can have, and when it is asked no more."""

import asyncio
import threading
import time

import pytest

from memi.intelligence.ports import PriceAdvice, PriceQuestion
from memi.intelligence.threads import NoThread, Threads
from support.seats import GOOD, LIMIT, QUESTION, Plugged, on_loop, plain, timed
from support.seats import hanging as hanging
from support.seats import plug as plug


def threads_of_plugins() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("intelligence-")}


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
