"""The statements of recommendations: cards by id, and what is near to what somebody likes. One round trip each."""

BY_IDS = """
    SELECT c.card, coalesce(n.favorite_count, 0),
        EXISTS (SELECT FROM favorites f WHERE f.user_id = $1 AND f.listing_id = c.listing_id)
    FROM unnest($2::uuid[]) WITH ORDINALITY AS wanted(listing_id, place)
    JOIN listing_cards c USING (listing_id)
    LEFT JOIN listing_counters n USING (listing_id)
    WHERE c.browsable AND c.seller_id <> $1
    ORDER BY wanted.place LIMIT $3
"""
"""Rows of card, favourites, is_favorite. Arguments: for whom, the ids with the best first, how many."""

# Each section is read along its own index, so that it costs the same however many listings there are.
NEAR_FAVORITES = """
    WITH liked AS MATERIALIZED (
        SELECT c.section, max(f.created_at) AS lately
        FROM (
            SELECT listing_id, created_at FROM favorites WHERE user_id = $1
            ORDER BY created_at DESC, listing_id DESC LIMIT 100
        ) AS f JOIN listing_cards c USING (listing_id)
        WHERE c.section IS NOT NULL GROUP BY c.section ORDER BY lately DESC LIMIT 5
    ), near AS MATERIALIZED (
        SELECT c.* FROM liked CROSS JOIN LATERAL (
            SELECT listing_id, published_at, card FROM listing_cards c
            WHERE c.browsable AND c.section = liked.section AND c.seller_id <> $1
                AND NOT EXISTS (SELECT FROM favorites f WHERE f.user_id = $1 AND f.listing_id = c.listing_id)
            ORDER BY c.published_at DESC, c.listing_id DESC LIMIT $2
        ) AS c
    ), newest AS MATERIALIZED (
        SELECT listing_id, published_at, card FROM listing_cards c
        WHERE c.browsable AND c.seller_id <> $1
            AND NOT EXISTS (SELECT FROM favorites f WHERE f.user_id = $1 AND f.listing_id = c.listing_id)
        ORDER BY c.published_at DESC, c.listing_id DESC LIMIT $2
    ), chosen AS MATERIALIZED (
        SELECT * FROM (
            SELECT 0 AS place, near.* FROM near
            UNION ALL
            SELECT 1, newest.* FROM newest WHERE listing_id NOT IN (SELECT listing_id FROM near)
        ) AS both_kinds ORDER BY place, published_at DESC, listing_id DESC LIMIT $2
    )
    SELECT chosen.card, coalesce(n.favorite_count, 0), false
    FROM chosen LEFT JOIN listing_counters n USING (listing_id)
    ORDER BY chosen.place, chosen.published_at DESC, chosen.listing_id DESC
"""
"""The same rows: the newest of the sections that somebody liked lately, then of all. Arguments: for whom, how many."""
