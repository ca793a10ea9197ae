"""The one lifecycle table: code, docs and tests read it, and nothing else decides what a listing may become."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from memi.listings.errors import IllegalTransition
from memi.listings.events import Move


class Status(StrEnum):
    DRAFT = "DRAFT"
    ACTIVE = "ACTIVE"
    RESERVED = "RESERVED"
    SOLD = "SOLD"
    EXPIRED = "EXPIRED"
    DELETED = "DELETED"
    REMOVED = "REMOVED"


class Actor(StrEnum):
    """OWNER: the seller. MODERATOR: staff. SYSTEM: a reservation, an order or the clock."""

    OWNER = "OWNER"
    MODERATOR = "MODERATOR"
    SYSTEM = "SYSTEM"


@dataclass(frozen=True)
class Transition:
    """One line of the table. `target` None: back to the status it had before."""

    sources: tuple[Status, ...]
    target: Status | None
    move: Move
    actors: tuple[Actor, ...]
    note: str


_S, _A = Status, Actor
_BUT_DELETED = (_S.DRAFT, _S.ACTIVE, _S.RESERVED, _S.SOLD, _S.EXPIRED)

TABLE: tuple[Transition, ...] = (
    Transition((_S.DRAFT,), _S.ACTIVE, "publish", (_A.OWNER,), "the seller shows it"),
    Transition((_S.ACTIVE,), _S.DRAFT, "unpublish", (_A.OWNER,), "the seller takes it back to the drafts"),
    Transition(
        (_S.ACTIVE,), _S.RESERVED, "reserve", (_A.OWNER, _A.SYSTEM), "the seller, an accepted reservation or an order"
    ),
    Transition((_S.RESERVED,), _S.ACTIVE, "unreserve", (_A.OWNER, _A.SYSTEM), "the seller, or the end of the hold"),
    Transition(
        (_S.ACTIVE, _S.RESERVED),
        _S.SOLD,
        "sold",
        (_A.OWNER, _A.SYSTEM),
        "the seller, a completed reservation or an order",
    ),
    Transition((_S.ACTIVE,), _S.EXPIRED, "expire", (_A.SYSTEM,), "its days are over; a reserved one never expires"),
    Transition((_S.EXPIRED,), _S.ACTIVE, "relist", (_A.OWNER,), "the seller shows it again"),
    Transition(
        (_S.DRAFT, _S.ACTIVE, _S.RESERVED, _S.EXPIRED), _S.DELETED, "delete", (_A.OWNER,), "the seller takes it down"
    ),
    Transition(
        (_S.DELETED,), None, "undelete", (_A.MODERATOR,), "an administrator undoes the deletion, before the purge"
    ),
    Transition(_BUT_DELETED, _S.REMOVED, "remove", (_A.MODERATOR,), "a moderator takes it down"),
    Transition((_S.REMOVED,), None, "restore", (_A.MODERATOR,), "a moderator undoes the removal"),
)

PUBLIC = frozenset({Status.ACTIVE, Status.RESERVED, Status.SOLD})
"""Anyone may read these by id."""
BROWSABLE = frozenset({Status.ACTIVE, Status.RESERVED})
"""Browse and search show these."""
READ_ONLY = frozenset({Status.SOLD, Status.DELETED, Status.REMOVED})
"""Their owner can no longer edit these."""
RETURNABLE = frozenset({Status.DELETED, Status.REMOVED})
"""These remember what to go back to."""


def allowed_moves(status: str, by: Actor) -> list[Move]:
    """What `by` may do with a listing in `status`, in the table's order."""
    return [row.move for row in TABLE if status in row.sources and by in row.actors]


def check_move(status: str, move: Move, by: Actor, previous_status: str | None = None) -> Status:
    """The status that `move` leads to; raises `IllegalTransition` when the table does not have it."""
    for row in TABLE:
        if row.move == move and status in row.sources and by in row.actors:
            return row.target or Status(previous_status or Status.DRAFT)
    raise IllegalTransition(move, status, allowed_moves(status, by))


def remembered(status: str) -> Status:
    """What a deleted or removed listing goes back to: its hold ends with it, so a reserved one returns as ACTIVE."""
    return Status.ACTIVE if status == Status.RESERVED else Status(status)


def as_markdown() -> str:
    """The table as a page of the documentation."""
    lines = [
        "# The life of a listing",
        "",
        "Generated from `memi.listings.lifecycle`. Anything that is not in this table is 409 `illegal_transition`,",
        "which names the `current_status` and the `allowed_moves` of the one who asked.",
        "",
        "| from | to | move | by | |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {_joined(row.sources)} | {row.target or '*what it was before*'} | `{row.move}` "
        f"| {_joined(row.actors)} | {row.note} |"
        for row in TABLE
    ]
    lines += [
        "",
        "A listing is RESERVED exactly while it has its one hold. DELETED and REMOVED end the hold, so a listing that",
        "was RESERVED comes back as ACTIVE. Who may read what: ACTIVE and RESERVED are browsed and searched, SOLD is",
        "read by id, the rest is for the owner and for moderators.",
        "",
        "What has been DELETED for `MEMI_LISTING_PURGE_DAYS` (90) is purged for good: removed, or, where chats, deals",
        "or reports of others are about it, left as a stub of title, price and cover, which `undelete` refuses with",
        "409 `listing_purged`. Its owner finds it under `GET /users/me/listings?status=DELETED` until then.",
        "",
    ]
    return "\n".join(lines)


def _joined(values: Sequence[StrEnum]) -> str:
    return ", ".join(str(value) for value in values)
