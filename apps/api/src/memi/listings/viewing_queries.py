"""Statements of viewing: counters of many listings, and what events keep of listings."""

from collections.abc import Collection, Mapping
from uuid import UUID

from sqlalchemy import ARRAY, Integer, Uuid, column, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from memi.listings.models import Listing, ListingCounters


async def add_views(session: AsyncSession, views: Mapping[UUID, int]) -> None:
    """Move many counters; the rows are locked in the order of their keys first."""
    if not views:
        return
    ids = sorted(views)
    held = select(ListingCounters.listing_id).where(ListingCounters.listing_id.in_(ids))
    await session.execute(held.order_by(ListingCounters.listing_id).with_for_update())
    counted = literal([views[listing_id] for listing_id in ids], ARRAY(Integer()))
    seen = (
        func.unnest(literal(ids, ARRAY(Uuid())), counted)
        .table_valued(column("listing_id", Uuid()), column("views", Integer()), name="seen")
        .render_derived()
    )
    await session.execute(
        update(ListingCounters)
        .where(ListingCounters.listing_id == seen.c.listing_id)
        .values(view_count=ListingCounters.view_count + seen.c.views)
        .execution_options(synchronize_session=False)
    )


async def owners(session: AsyncSession, listing_ids: Collection[UUID]) -> list[tuple[UUID, UUID, UUID | None]]:
    """(listing, seller, category) of those that exist."""
    rows = await session.execute(
        select(Listing.id, Listing.seller_id, Listing.category_id).where(Listing.id.in_(list(listing_ids)))
    )
    return [(row.id, row.seller_id, row.category_id) for row in rows]
