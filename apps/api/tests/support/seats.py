"""Plug-ins in their places, without a process around them."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest

from memi.intelligence.calling import Answer, Limits, Seat
from memi.intelligence.ports import PRICE_ADVISER, Item, PriceAdvice, PriceQuestion

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
