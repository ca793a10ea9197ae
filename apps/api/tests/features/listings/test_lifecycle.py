"""The lifecycle table itself, and the page of the documentation made from it."""

from itertools import product
from pathlib import Path
from typing import get_args

import pytest

from memi.listings.errors import IllegalTransition
from memi.listings.events import Move
from memi.listings.lifecycle import TABLE, Actor, Status, allowed_moves, as_markdown, check_move, remembered
from memi.listings.models import STATUSES

OWNER_MAY = {
    "DRAFT": ["publish", "delete"],
    "ACTIVE": ["unpublish", "reserve", "sold", "delete"],
    "RESERVED": ["unreserve", "sold", "delete"],
    "SOLD": [],
    "EXPIRED": ["relist", "delete"],
    "DELETED": [],
    "REMOVED": [],
}
MODERATOR_MAY = {
    "DRAFT": ["remove"],
    "ACTIVE": ["remove"],
    "RESERVED": ["remove"],
    "SOLD": ["remove"],
    "EXPIRED": ["remove"],
    "DELETED": ["undelete"],
    "REMOVED": ["restore"],
}
SYSTEM_MAY = {"ACTIVE": ["reserve", "sold", "expire"], "RESERVED": ["unreserve", "sold"]}
LEADS_TO = {
    "publish": "ACTIVE",
    "unpublish": "DRAFT",
    "reserve": "RESERVED",
    "unreserve": "ACTIVE",
    "sold": "SOLD",
    "expire": "EXPIRED",
    "relist": "ACTIVE",
    "delete": "DELETED",
    "remove": "REMOVED",
}


@pytest.mark.parametrize("status", Status)
def test_each_may_do_what_the_product_says(status: Status) -> None:
    assert allowed_moves(status, Actor.OWNER) == OWNER_MAY[status]
    assert allowed_moves(status, Actor.MODERATOR) == MODERATOR_MAY[status]
    assert allowed_moves(status, Actor.SYSTEM) == SYSTEM_MAY.get(status, [])


@pytest.mark.parametrize(("move", "target"), LEADS_TO.items())
def test_each_move_leads_to_one_status(move: Move, target: str) -> None:
    assert {row.target for row in TABLE if row.move == move} == {target}


def test_whatever_is_not_in_the_table_is_refused_with_what_is() -> None:
    for status, move, actor in product(Status, get_args(Move), Actor):
        if move in allowed_moves(status, actor):
            check_move(status, move, actor, "DRAFT")
            continue
        with pytest.raises(IllegalTransition) as refusal:
            check_move(status, move, actor, "DRAFT")
        assert refusal.value.fields == {
            "current_status": status,
            "allowed_moves": allowed_moves(status, actor),
        }


@pytest.mark.parametrize("move", ["restore", "undelete"])
def test_what_was_taken_down_goes_back_to_what_it_was(move: Move) -> None:
    source = "REMOVED" if move == "restore" else "DELETED"
    assert check_move(source, move, Actor.MODERATOR, "EXPIRED") == Status.EXPIRED


def test_a_hold_does_not_outlive_a_removal() -> None:
    assert remembered("RESERVED") == Status.ACTIVE
    assert all(remembered(status) == status for status in Status if status != Status.RESERVED)


def test_the_table_knows_every_move_and_every_stored_status() -> None:
    assert {row.move for row in TABLE} == set(get_args(Move))
    assert set(Status) == set(STATUSES)


def test_the_documentation_shows_the_table(repository: Path) -> None:
    page = repository / "docs" / "lifecycle.md"
    assert page.read_text() == as_markdown(), "write memi.listings.lifecycle.as_markdown() to docs/lifecycle.md"
