"""Rules of blocking: two people with a block between them, whoever it is from, have nothing to do with each other.

Locks are taken in one order: the blocker's account, the pair, listing, hold, reservation, order, chat. Whoever is about
to bring two people together asks `blocked_between` first, before any row's lock, and from then on no block of theirs
comes in between. A block in turn waits for what is under way, so that nothing passes between them once it is committed.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.cursors import CursorSigner, Page
from memi.platform.errors import NotAuthenticated, NotFound, ValidationFailed
from memi.platform.events import publish
from memi.users import blocks_queries, queries
from memi.users.blocks_schemas import BlockedPerson
from memi.users.errors import TooManyBlocks
from memi.users.events import PeopleBlocked

MAX_BLOCKS = 1000


async def blocked_between(session: AsyncSession, one: UUID, other: UUID) -> bool:
    """Whether either has blocked the other. As long as this unit of work lasts neither can; ask before locking rows."""
    return await blocks_queries.apart(session, one, other)


async def block(session: AsyncSession, blocker_id: UUID, blocked_id: UUID) -> None:
    """Want nothing to do with somebody; doing so again changes nothing.

    Raises `ValidationFailed` for oneself, `NotFound`, `TooManyBlocks`.
    """
    _refuse_oneself(blocker_id, blocked_id)
    # One change of the list at a time, so that the limit holds.
    if not await queries.hold(session, blocker_id):
        raise NotAuthenticated
    if await blocks_queries.has(session, blocker_id, blocked_id):
        return
    if not await queries.standing(session, blocked_id):
        raise NotFound
    if await blocks_queries.count(session, blocker_id) >= MAX_BLOCKS:
        raise TooManyBlocks
    await blocks_queries.hold_pair(session, blocker_id, blocked_id)
    await blocks_queries.add(session, blocker_id, blocked_id)
    publish(session, PeopleBlocked(blocker_id, blocked_id))


async def unblock(session: AsyncSession, blocker_id: UUID, blocked_id: UUID) -> None:
    """Take it back; the other's block stays. Raises `NotFound` for somebody who was not blocked nor can be seen."""
    _refuse_oneself(blocker_id, blocked_id)
    if not await blocks_queries.drop(session, blocker_id, blocked_id) and not await queries.standing(
        session, blocked_id
    ):
        raise NotFound


async def page(
    session: AsyncSession, cursors: CursorSigner, blocker_id: UUID, cursor: str | None, limit: int
) -> Page[BlockedPerson]:
    """Whom a person has blocked, the latest first; raises `InvalidCursor`."""
    scope = f"blocks:{blocker_id}"
    before: Any = cursors.decode(scope, cursor, (datetime, UUID)) if cursor is not None else None
    rows = await blocks_queries.page(session, blocker_id, before, limit + 1)
    shown = rows[:limit]
    items = [BlockedPerson(user.id, user.shown_name, user.shown_avatar_url, since) for user, since in shown]
    more = len(rows) > limit
    return Page(items, cursors.encode(scope, shown[-1][1], shown[-1][0].id) if more else None)


def _refuse_oneself(blocker_id: UUID, blocked_id: UUID) -> None:
    if blocker_id == blocked_id:
        raise ValidationFailed.of("/user_id", "oneself", "You cannot block yourself.")
