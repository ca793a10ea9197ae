"""News of a listing for everyone who likes it, in batches, so that a popular item is no long transaction."""

from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from memi.favorites import service as favorites
from memi.notifications import service
from memi.platform.ids import new_id
from memi.platform.jobs import enqueue, job
from memi.platform.runtime import Runtime

BATCH = 500


class ListingNews(msgspec.Struct):
    """`news_id` names the occurrence in the dedupe keys, so that a batch that is run again tells nobody twice."""

    news_id: UUID
    listing_id: UUID
    event: str
    data: dict[str, Any]
    untold: list[UUID]
    """Those who know already: who did it, and whom it was for."""
    after: UUID | None = None


@job(ListingNews)
async def tell_favouriters(news: ListingNews, runtime: Runtime) -> None:
    """Tell one batch, and queue the next with the same commit."""
    async with runtime.unit_of_work() as session:
        batch = await favorites.favouriters(session, news.listing_id, news.after, BATCH)
        told = sorted(set(batch) - set(news.untold))
        await service.notify_many(
            session, told, "LISTING", news.event, data=news.data, dedupe_key=f"news:{news.news_id}"
        )
        if len(batch) == BATCH:
            await enqueue(session, tell_favouriters, msgspec.structs.replace(news, after=batch[-1]))


async def begin(session: AsyncSession, listing_id: UUID, event: str, data: dict[str, Any], untold: list[UUID]) -> None:
    """Queue the telling; called from a durable handler, whose receipt makes it happen once."""
    await enqueue(session, tell_favouriters, ListingNews(new_id(), listing_id, event, data, untold))
