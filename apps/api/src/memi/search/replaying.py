"""Rebuilding the cards from the listings while they are read: batch by batch, by a cursor that is kept with its effect.

Each batch holds its listings still, so that what it writes is what they are: nothing newer is overwritten, and what
is not shown any more goes.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.catalog import service as catalog
from memi.listings import walking
from memi.platform.errors import NotFound, ServiceBusy, ValidationFailed
from memi.search import projection
from memi.search import replay_queries as queries
from memi.search.errors import ReplayUnderWay
from memi.search.jobs import KEPT
from memi.search.models import SearchReplay

BATCH = 100
MOST_WAITING = 50


async def begin(
    session: AsyncSession,
    scope: str,
    *,
    since: datetime | None = None,
    listing_ids: Sequence[UUID] | None = None,
    category_id: UUID | None = None,
) -> UUID:
    """Write down what is to be rebuilt; somebody must take the steps.

    Raises `ReplayUnderWay` for a second one of everything, `ValidationFailed` for a time before what is remembered, and
    `ServiceBusy` when too many wait.
    """
    if since is not None and await queries.is_older(session, since, KEPT):
        raise ValidationFailed.of("/since", "out_of_range", "Changes are remembered for a day; replay all.")
    if scope != "category" and await queries.unfinished(session, MOST_WAITING) == MOST_WAITING:
        raise ServiceBusy("Too many rebuildings are waiting; try again when some are done.", retry_after=60)
    estimated = len(listing_ids) if listing_ids is not None else None
    if scope == "all":
        estimated = await walking.estimate(session)
    replay_id = await queries.add(
        session,
        {
            "scope": scope,
            "since": since,
            "listing_ids": None if listing_ids is None else list(listing_ids),
            "category_id": category_id,
            "estimated": estimated,
        },
    )
    if replay_id is None:
        raise ReplayUnderWay(await queries.whole_under_way(session))
    return replay_id


async def read(session: AsyncSession, replay_id: UUID) -> SearchReplay:
    """Raises `NotFound`."""
    replay = await queries.by_id(session, replay_id)
    if replay is None:
        raise NotFound
    return replay


async def step(session: AsyncSession, replay_id: UUID) -> bool:
    """Rebuild one batch; whether others may follow."""
    replay = await queries.lock(session, replay_id)
    if replay is None or replay.finished_at is not None:
        return False
    ids = await _next(session, replay)
    if ids:
        # Told by this process as they are now, not as it knew the catalogue before.
        await catalog.newest(session)
        await projection.project(session, await walking.hold_still(session, ids))
    await queries.advance(session, replay, ids)
    return bool(ids)


async def _next(session: AsyncSession, replay: SearchReplay) -> Sequence[UUID]:
    if replay.scope == "since":
        assert replay.since is not None
        return await queries.changed_since(session, replay.since, replay.done_to, BATCH)
    if replay.scope == "listing_ids":
        return queries.next_of(replay.listing_ids or (), replay.done_to, BATCH)
    if replay.scope == "category":
        assert replay.category_id is not None
        node = (await catalog.newest(session)).category_by_id(replay.category_id)
        if node is None:
            return ()
        within = [item.id for item in node.subtree]
        return await walking.following(session, replay.done_to, BATCH, categories=within)
    return await walking.following(session, replay.done_to, BATCH)
