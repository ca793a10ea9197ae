"""Rules of favourites."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.favorites import queries
from memi.favorites.events import FavoriteAdded
from memi.favorites.schemas import FavoriteRead
from memi.listings import service as listings
from memi.platform.cursors import CursorSigner, Page
from memi.platform.events import publish


async def add(session: AsyncSession, user_id: UUID, listing_id: UUID, *, staff: bool = False) -> None:
    """Like a listing; liking it again changes nothing. Raises `NotFound` for what the person may not see."""
    await listings.visible(session, listing_id, user_id, staff=staff)
    if await queries.add(session, user_id, listing_id):
        await listings.count_favorite(session, listing_id, 1)
        publish(session, FavoriteAdded(user_id, listing_id))


async def drop(session: AsyncSession, user_id: UUID, listing_id: UUID, *, staff: bool = False) -> None:
    """Like it no more, also when it is no longer shown. Raises `NotFound` for what was neither liked nor visible."""
    if await queries.drop(session, user_id, listing_id):
        await listings.count_favorite(session, listing_id, -1)
    else:
        await listings.visible(session, listing_id, user_id, staff=staff)


async def page(
    session: AsyncSession, cursors: CursorSigner, user_id: UUID, cursor: str | None, limit: int
) -> Page[FavoriteRead]:
    """One page of a person's favourites; raises `InvalidCursor`."""
    scope = f"favorites:{user_id}"
    before = _position(cursors.decode(scope, cursor, (datetime, UUID))) if cursor is not None else None
    rows = await queries.of_user(session, user_id, before, limit + 1)
    shown = rows[:limit]
    stubs = await listings.stubs(session, [listing_id for listing_id, _ in shown])
    items: list[FavoriteRead] = []
    for listing_id, since in shown:
        stub = stubs.get(listing_id)  # None: purged just now
        items.append(
            FavoriteRead(listing_id, True, stub.status, stub.title, stub.price, stub.cover, since)
            if stub is not None and stub.available
            else FavoriteRead(listing_id, False, None, None, None, None, since)
        )
    more = len(rows) > limit
    return Page(items, cursors.encode(scope, shown[-1][1], shown[-1][0]) if more else None)


async def favouriters(session: AsyncSession, listing_id: UUID, after: UUID | None, limit: int) -> Sequence[UUID]:
    """The next `limit` people who like the listing, by id, following `after`."""
    return await queries.users_of(session, listing_id, after, limit)


def _position(values: tuple[object, ...]) -> tuple[datetime, UUID]:
    since, listing_id = values
    assert isinstance(since, datetime)
    assert isinstance(listing_id, UUID)
    return since, listing_id
