"""The table itself: pure, and the page of the documentation that is made from it."""

from pathlib import Path

import pytest

from memi.reservations import lifecycle
from memi.reservations.errors import IllegalTransition, NotYourMove
from memi.reservations.lifecycle import OPEN, TABLE, Side, Status, allowed_moves, check_move

ENDED = [status for status in Status if status not in OPEN]


def test_every_move_of_the_table_is_allowed_and_leads_where_it_says() -> None:
    for row in TABLE:
        for status in row.sources:
            for side in row.sides:
                assert check_move(status, row.move, side) == row.target
                assert row.move in allowed_moves(status, side)


def test_nothing_else_is_allowed() -> None:
    listed = {(status, row.move, side) for row in TABLE for status in row.sources for side in row.sides}
    moves = {row.move for row in TABLE}
    for status in Status:
        for move in moves:
            for side in Side:
                if (status, move, side) not in listed:
                    with pytest.raises((IllegalTransition, NotYourMove)):
                        check_move(status, move, side)


@pytest.mark.parametrize("status", ENDED)
def test_what_has_ended_stays_ended(status: Status) -> None:
    assert all(allowed_moves(status, side) == [] for side in Side)


def test_a_refusal_names_where_it_stands_and_what_is_possible() -> None:
    with pytest.raises(IllegalTransition) as refusal:
        check_move(Status.ACCEPTED, "accept", Side.SELLER)
    assert refusal.value.fields == {"current_status": Status.ACCEPTED, "allowed_moves": ["cancel", "complete"]}


def test_only_the_seller_decides() -> None:
    for move in ("accept", "reject", "complete"):
        with pytest.raises(NotYourMove):
            check_move(Status.REQUESTED, move, Side.BUYER)


def test_the_documentation_is_current(repository: Path) -> None:
    assert (repository / "docs" / "reservations.md").read_text() == lifecycle.as_markdown()
