"""Keeping the read model: cards follow listings, and the outbox tells whatever index is kept elsewhere."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.catalog import service as catalog
from memi.listings import service as listings
from memi.search import queries
from memi.search.cards import SHOWN, CardRow, build
from memi.search.queries import Gone

_OVER = frozenset({"DELETED", "REMOVED"})


async def project(session: AsyncSession, listing_ids: Sequence[UUID]) -> None:
    """Bring the cards of these listings up to date, however many: the statements of one rendering, and one more."""
    rendered = await listings.render(session, listing_ids)
    snapshot = await catalog.snapshot(session)
    rows: list[CardRow] = []
    gone: list[Gone] = []
    for read in rendered.values():
        if read.status in SHOWN:
            rows.append(build(read, snapshot))
        else:
            gone.append(Gone(read.id, read.version, read.status in _OVER))
    if rows or gone:
        await queries.project(session, rows, gone)


async def set_standing(session: AsyncSession, seller_id: UUID, *, stands: bool) -> None:
    """Hide everything of a blocked or deleted seller, or show it again."""
    await queries.set_standing(session, seller_id, stands=stands)


async def learn_vocabulary(session: AsyncSession) -> None:
    """Teach the vocabulary every word of every card; for catalogues that were written in bulk."""
    await queries.learn(session, await queries.all_new_words(session))
