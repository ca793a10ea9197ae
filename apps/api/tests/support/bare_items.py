"""Items on sale, without the way there: no pictures, no publishing."""

from uuid import UUID

from memi.platform.ids import new_id
from support.people import Person
from support.sql import Sql

_INSERT = """
INSERT INTO listings (id, seller_id, title, price_amount, currency, condition, category_id, status, version,
                      published_at, expires_at, sold_at)
SELECT $1, $2, 'Wool coat', 4500, 'AZN', (SELECT code FROM conditions ORDER BY code LIMIT 1),
       (SELECT id FROM categories ORDER BY id LIMIT 1), $3, 1, now(), now() + interval '60 days',
       CASE WHEN $3 = 'SOLD' THEN now() END
"""
_COUNT = """
INSERT INTO seller_stats AS s (user_id, active_listing_count) VALUES ($1, 1)
ON CONFLICT (user_id) DO UPDATE SET active_listing_count = s.active_listing_count + 1
"""


async def add_item(sql: Sql, seller: Person, status: str) -> str:
    """The id of a new listing, which is counted among the seller's."""
    listing_id = new_id()
    await sql.execute(_INSERT, listing_id, UUID(seller.id), status)
    await sql.execute("INSERT INTO listing_counters (listing_id) VALUES ($1)", listing_id)
    if status == "ACTIVE":
        await sql.execute(_COUNT, UUID(seller.id))
    return str(listing_id)
