"""What staff export of listings."""

from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select

from memi.catalog.models import Category
from memi.listings.models import Listing, ListingCounters


def listings(since: datetime | None, until: datetime | None) -> Select[*tuple[Any, ...]]:
    """Lent statement: listings that were made in this time, in any status, oldest first."""
    statement = (
        select(
            Listing.id,
            Listing.seller_id,
            Listing.status,
            Listing.title,
            Listing.price_amount,
            Listing.currency,
            Listing.condition,
            Category.slug.label("category"),
            Listing.brand,
            Listing.size,
            Listing.color,
            Listing.material,
            Listing.city,
            func.coalesce(ListingCounters.favorite_count, 0).label("favorites"),
            func.coalesce(ListingCounters.view_count, 0).label("views"),
            Listing.version,
            Listing.created_at,
            Listing.published_at,
            Listing.expires_at,
            Listing.sold_at,
            Listing.deleted_at,
        )
        .outerjoin(ListingCounters, ListingCounters.listing_id == Listing.id)
        .outerjoin(Category, Category.id == Listing.category_id)
        .order_by(Listing.id)
    )
    if since is not None:
        statement = statement.where(Listing.created_at >= since)
    return statement if until is None else statement.where(Listing.created_at < until)
