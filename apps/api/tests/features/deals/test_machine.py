"""Any series of moves by anybody, on two items of the same people, goes where the model goes or changes nothing."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from memi.platform.runtime import Runtime
from support.deal_drive import RealDeal
from support.deal_model import step, steps_from
from support.deal_page import RULES
from support.deal_state import Move, Rules, State, moves, wrong

from .conftest import NewDeal, under

_OF_PEOPLE = frozenset({"away", "back", "part", "unpart"})
_AHEAD = ("publish", "request", "accept", "order", "order_reserved", "pay", "complete_order")


@dataclass
class World:
    """The service under test, and the event loop that it runs on."""

    loop: asyncio.AbstractEventLoop
    rules: Rules
    new_deal: NewDeal


class Dealings(RuleBasedStateMachine):
    """Two deals, and what the model has of each."""

    world: World
    deals: list[RealDeal]

    @initialize()
    def list_two_items(self) -> None:
        first = self._run(self.world.new_deal(self.world.rules, 3))
        self.deals = [first, self._run(first.another())]
        self.states = [self._run(deal.state()) for deal in self.deals]
        for item in (0, 1):
            self._make(item, Move("publish", "seller"))

    @rule(item=st.sampled_from([0, 1]), pick=st.integers(0, 10_000))
    def anybody_tries_anything(self, item: int, pick: int) -> None:
        possible = moves(self.world.rules, 3)
        self._make(item, possible[pick % len(possible)])

    @rule(item=st.sampled_from([0, 1]), pick=st.integers(0, 10_000))
    def somebody_goes_on(self, item: int, pick: int) -> None:
        """What changes something. Without these, few deals would get past their first refusals."""
        possible = [move for move, _ in steps_from(self.states[item], self.world.rules)]
        self._make(item, possible[pick % len(possible)])

    @precondition(lambda self: any(state.listing == "ACTIVE" or state.hold for state in self.states))
    @rule(item=st.sampled_from([0, 1]), pick=st.integers(0, 10_000))
    def a_deal_gets_closer(self, item: int, pick: int) -> None:
        possible = [move for move, _ in steps_from(self.states[item], self.world.rules) if move.name in _AHEAD]
        if possible:
            self._make(item, possible[pick % len(possible)])

    @invariant()
    def the_data_is_whole(self) -> None:
        if hasattr(self, "states"):
            assert self._run(self.deals[0].broken()) == {}
            assert [wrong(state) for state in self.states] == [[], []]

    def _make(self, item: int, move: Move) -> None:
        """What is about people is about both their items."""
        expected: list[State] = []
        for number, state in enumerate(self.states):
            after = step(state, move, self.world.rules) if number == item or move.name in _OF_PEOPLE else state
            expected.append(state if after is None else after)
        refused = step(self.states[item], move, self.world.rules) is None
        assert self._run(self.deals[item].make(move)) == (not refused), (self.states[item], str(move))
        found = [self._run(deal.state()) for deal in self.deals]
        assert found == expected, (self.states, str(move))
        self.states = found

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.world.loop).result(60)


QUICK = settings(
    max_examples=30,
    stateful_step_count=25,
    deadline=None,
    database=None,
    derandomize=True,
    # What fails says with which moves; finding fewer would take a database minutes.
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


# Hypothesis calls rules as plain functions: they run in a thread and hand their work back to the event loop.
@pytest.mark.parametrize("rules", RULES[:2], ids=["hand_to_hand", "paid"])
async def test_every_dealing_follows_the_model(rules: Rules, runtime: Runtime, new_deal: NewDeal) -> None:
    world = World(asyncio.get_running_loop(), rules, new_deal)
    async with under(rules, runtime):
        here = type("DealingsHere", (Dealings,), {"world": world})
        await asyncio.to_thread(run_state_machine_as_test, here, settings=QUICK)
