"""The table itself: pure, the page of the documentation that is made from it, and the database that knows it too."""

from itertools import pairwise
from pathlib import Path
from typing import get_args
from uuid import UUID

import asyncpg
import pytest

from memi.orders import lifecycle
from memi.orders.errors import IllegalTransition, NotYourMove
from memi.orders.lifecycle import TABLE, Move, Side, Status, allowed_moves, check_move
from support.orders import Orders

PEOPLE = (Side.BUYER, Side.SELLER)


@pytest.mark.parametrize("meetup", [True, False])
def test_every_move_of_the_table_is_allowed_and_leads_where_it_says(meetup: bool) -> None:
    for row in TABLE:
        if row.condition == "meetup" and not meetup:
            continue
        for status in row.sources:
            for side in row.sides:
                assert check_move(status, row.move, side, meetup=meetup) == row.target
                assert row.move in allowed_moves(status, side, meetup=meetup)


@pytest.mark.parametrize("meetup", [True, False])
def test_nothing_else_is_allowed(meetup: bool) -> None:
    listed = {
        (status, row.move, side)
        for row in TABLE
        if meetup or row.condition != "meetup"
        for status in row.sources
        for side in row.sides
    }
    for status in Status:
        for move in get_args(Move):
            for side in Side:
                if (status, move, side) not in listed:
                    with pytest.raises((IllegalTransition, NotYourMove)):
                        check_move(status, move, side, meetup=meetup)


def test_what_is_refunded_stays_so() -> None:
    assert all(allowed_moves(Status.REFUNDED, side, meetup=True) == [] for side in Side)


def test_neither_of_the_two_moves_money() -> None:
    by_people = {row.move for row in TABLE for side in row.sides if side in PEOPLE}
    assert by_people == {"complete", "cancel"}
    assert all(set(row.sides).isdisjoint(PEOPLE) for row in TABLE if row.target in ("PAID", "REFUNDED"))


def test_a_paid_order_is_ended_by_its_people_and_by_payments_alone() -> None:
    assert allowed_moves(Status.PAID, Side.CLOCK) == allowed_moves(Status.PAID, Side.LISTING) == []
    assert "cancel" not in allowed_moves(Status.PAID, Side.BUYER)


def test_the_seller_completes_a_paid_order_only_hand_to_hand() -> None:
    assert check_move(Status.PAID, "complete", Side.SELLER, meetup=True) == Status.COMPLETED
    with pytest.raises(NotYourMove):
        check_move(Status.PAID, "complete", Side.SELLER)


def test_a_refusal_names_where_it_stands_and_what_is_possible() -> None:
    with pytest.raises(IllegalTransition) as refusal:
        check_move(Status.AWAITING_PAYMENT, "complete", Side.BUYER)
    assert refusal.value.fields == {"current_status": Status.AWAITING_PAYMENT, "allowed_moves": ["cancel"]}


def test_the_documentation_is_current(repository: Path) -> None:
    assert (repository / "docs" / "orders.md").read_text() == lifecycle.as_markdown()


async def test_the_database_allows_exactly_the_steps_of_the_table(orders: Orders) -> None:
    """Walks every pair of statuses, with the rows' other rules out of the way until the walk is undone."""
    steps = {(source, row.target) for row in TABLE for source in row.sources}
    ways = _ways(steps)
    purchase = await orders.new()
    connection = orders.sql.connection
    set_status = (
        "UPDATE orders SET status = $2::text, "
        "expires_at = CASE WHEN $2::text IN ('PENDING', 'AWAITING_PAYMENT') THEN now() END WHERE id = $1"
    )
    for source in Status:
        for target in Status:
            if source == target:
                continue
            walk = connection.transaction()
            await walk.start()
            for _, status in pairwise(ways[source]):
                await connection.execute(set_status, UUID(purchase.id), status)
            try:
                await connection.execute(set_status, UUID(purchase.id), target)
                allowed = True
            except asyncpg.CheckViolationError:
                allowed = False
            await walk.rollback()
            assert allowed == ((source, target) in steps), f"{source} to {target}"


def _ways(steps: set[tuple[Status, Status]]) -> dict[Status, list[Status]]:
    """How to come to each status from the first."""
    ways = {Status.PENDING: [Status.PENDING]}
    while len(ways) < len(Status):
        before = len(ways)
        for source, target in sorted(steps):
            if source in ways:
                ways.setdefault(target, [*ways[source], target])
        assert len(ways) > before, "a status that nothing leads to"
    return ways
