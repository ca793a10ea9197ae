"""Items for sale in numbers, without the way there: no pictures, no publishing."""

from collections.abc import Sequence
from uuid import UUID

from memi.platform.ids import new_id
from support.people import Person
from support.sql import Sql

_ITEMS = """
INSERT INTO listings (id, seller_id, title, price_amount, currency, condition, category_id, status, version,
                      published_at, expires_at)
SELECT l.id, l.seller_id, 'Wool coat', 4500, 'AZN', (SELECT code FROM conditions ORDER BY code LIMIT 1),
       (SELECT id FROM categories ORDER BY id LIMIT 1), 'ACTIVE', 1, now(), now() + interval '60 days'
FROM unnest($1::uuid[], $2::uuid[]) AS l (id, seller_id)
"""
_COUNTED = """
INSERT INTO seller_stats (user_id, active_listing_count)
SELECT seller_id, count(*) FROM unnest($1::uuid[]) AS seller_id GROUP BY seller_id
ON CONFLICT (user_id) DO UPDATE
SET active_listing_count = seller_stats.active_listing_count + excluded.active_listing_count
"""


async def items(sellers: Sequence[Person], sql: Sql) -> list[str]:
    """One ACTIVE listing for each mention of a seller."""
    ids, owners = [new_id() for _ in sellers], [UUID(seller.id) for seller in sellers]
    await sql.execute(_ITEMS, ids, owners)
    await sql.execute("INSERT INTO listing_counters (listing_id) SELECT unnest($1::uuid[])", ids)
    await sql.execute(_COUNTED, owners)
    return [str(listing_id) for listing_id in ids]
