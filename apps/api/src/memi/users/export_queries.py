"""What staff export of people: nothing that proves who somebody is."""

from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select

from memi.users.models import SellerStats, User


def accounts(since: datetime | None, until: datetime | None) -> Select[*tuple[Any, ...]]:
    """Lent statement: accounts that were made in this time, oldest first."""
    statement = (
        select(
            User.id,
            User.email,
            User.name,
            User.city,
            User.phone,
            User.locale,
            User.roles,
            User.email_verified_at.is_not(None).label("email_verified"),
            User.is_blocked,
            User.created_at,
            User.last_seen_at,
            User.deleted_at,
            func.coalesce(SellerStats.active_listing_count, 0).label("active_listings"),
            func.coalesce(SellerStats.sold_count, 0).label("sold"),
        )
        .outerjoin(SellerStats, SellerStats.user_id == User.id)
        .order_by(User.id)
    )
    if since is not None:
        statement = statement.where(User.created_at >= since)
    return statement if until is None else statement.where(User.created_at < until)
