"""Every state that anything can lead to, and the real service driven along the moves that lead there."""

from pathlib import Path

import pytest

from memi.platform.runtime import Runtime
from support.deal_drive import RealDeal
from support.deal_model import reachable, step, steps_from
from support.deal_page import RULES, as_markdown
from support.deal_state import FORBIDDEN, Buyer, Hold, Move, Rules, State, wrong

from .conftest import NewDeal, under

_LONGEST = 40
_NAMES = {rules: f"payments={rules.payments},meetup={rules.meetup}" for rules in RULES}


def test_the_documentation_shows_the_model(repository: Path) -> None:
    page = repository / "docs" / "deals.md"
    assert page.read_text() == as_markdown(), "run tests/support/deal_page.py"


@pytest.mark.parametrize("rules", RULES, ids=_NAMES.get)
def test_no_moves_of_anybody_lead_to_what_must_never_be(rules: Rules) -> None:
    found = reachable(rules)
    assert len(found) > 1000
    assert {state: faults for state in found if (faults := wrong(state))} == {}


@pytest.mark.parametrize(
    ("state", "fault"),
    [
        (State("RESERVED", None, Hold("ORDER", 0), False, (Buyer(order="PENDING"), Buyer("ACCEPTED"))), FORBIDDEN[0]),
        (State("RESERVED"), FORBIDDEN[1]),
        (State("ACTIVE", None, Hold("MANUAL", None)), FORBIDDEN[1]),
        (State("SOLD", None, None, False, (Buyer("REQUESTED"), Buyer())), FORBIDDEN[2]),
        (State("SOLD", None, None, False, (Buyer(order="PAID"), Buyer(order="COMPLETED"))), FORBIDDEN[3]),
        (State("ACTIVE", None, None, False, (Buyer(order="PAID"), Buyer())), FORBIDDEN[4]),
        (State("ACTIVE", None, None, False, (Buyer("ACCEPTED"), Buyer())), FORBIDDEN[5]),
        (State("RESERVED", None, Hold("RESERVATION", 0), False, (Buyer("ACCEPTED", order="PENDING"),)), FORBIDDEN[6]),
        (State("RESERVED", None, Hold("ORDER", 0)), FORBIDDEN[7]),
    ],
)
def test_what_must_never_be_would_be_seen(state: State, fault: str) -> None:
    assert fault in wrong(state)


Kind = tuple[str, ...]


def kind_of(state: State, move: Move) -> Kind:
    """What makes two moves the same to try: who does it, and all that it may depend on."""
    hold = "-" if state.hold is None else state.hold.kind
    if move.buyer is None:
        return (str(move), state.listing, hold, *sorted({str(buyer.order) for buyer in state.buyers}))
    buyer = state.buyers[move.buyer]
    own = "own" if state.holder == move.buyer else "-"
    late = f"{buyer.reservation_late}{buyer.order_late}"
    name = f"{move.actor}.{move.name}"
    return (name, state.listing, hold, own, str(buyer.reservation), str(buyer.order), late)


@pytest.mark.parametrize("rules", RULES, ids=_NAMES.get)
async def test_the_service_goes_wherever_the_model_goes(rules: Rules, runtime: Runtime, new_deal: NewDeal) -> None:
    """One buyer: each kind of move is made at least once, and what came of it compared after every step."""
    left = {
        kind_of(state, move)
        for state in reachable(rules, State(buyers=(Buyer(),)))
        for move, _ in steps_from(state, rules)
    }
    whole = len(left)
    async with under(rules, runtime):
        while left:
            deal, state = await new_deal(rules, 1), State(buyers=(Buyer(),))
            before = len(left)
            for _ in range(_LONGEST):
                path = _path_to_new(state, rules, left)
                if path is None:
                    break
                for move in path:
                    left.discard(kind_of(state.settled(), move))
                    state = await _go(deal, state, move, rules)
            assert len(left) < before
            assert await deal.broken() == {}
    assert whole > 100


async def _go(deal: RealDeal, state: State, move: Move, rules: Rules) -> State:
    after = step(state, move, rules)
    assert after is not None
    assert await deal.make(move), (state, move)
    assert await deal.state() == after, (state, move)
    return after


def _path_to_new(state: State, rules: Rules, left: set[Kind]) -> list[Move] | None:
    """The shortest way to a kind of move that is still to be made, it included."""
    seen, waiting = {state.settled()}, [(state, list[Move]())]
    for here, path in waiting:
        following = list(steps_from(here, rules))
        for move, _ in following:
            if kind_of(here.settled(), move) in left:
                return [*path, move]
        for move, after in following:
            if after.settled() not in seen:
                seen.add(after.settled())
                waiting.append((after, [*path, move]))
    return None
