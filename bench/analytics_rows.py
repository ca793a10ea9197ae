"""A year of a busy marketplace, written by the database itself, and the same numbers counted straight from its rows."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import asyncpg

DAYS = 400
SELLERS = 25_000
_MONTH = "interval '30 days'"

# Every row takes what is random about it from its own number, so that two runs write the same marketplace.
_CHANCE = """
CREATE FUNCTION pg_temp.chance(n bigint, salt int) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
    SELECT (hashint8extended(n, salt) & 9007199254740991)::float8 / 9007199254740991
$$;
CREATE FUNCTION pg_temp.key(n bigint, salt int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex(n), 16, '0') || lpad(to_hex(salt), 16, '0'))::uuid
$$;
"""
_PEOPLE = """
INSERT INTO users (id, email, name, roles, created_at, deleted_at)
SELECT pg_temp.key(n, 1), 'analytics-' || n || '@memi.example', 'Seller', '{USER,SELLER}',
    $1 + pg_temp.chance(n, 1) * $2,
    CASE WHEN pg_temp.chance(n, 2) < 0.05
        THEN $1 + (1 - (1 - pg_temp.chance(n, 1)) * pg_temp.chance(n, 3)) * $2 END
FROM generate_series(1::bigint, $3) AS n
"""
_USER_DAYS = """
INSERT INTO user_days (day, user_id)
SELECT DISTINCT ((u.created_at + ($1 + $2 - u.created_at) * pg_temp.chance(n * 64 + d, 4)) AT TIME ZONE 'UTC')::date,
    u.id
FROM generate_series(1::bigint, $3) AS n CROSS JOIN generate_series(1, 24) AS d
    JOIN users u ON u.id = pg_temp.key(n, 1)
"""
# Half of what is shown is sold, a third expires; the times are those of the moves below.
_LISTINGS = """
INSERT INTO listings (id, seller_id, title, price_amount, currency, condition, category_id, status, previous_status,
    created_at, published_at, sold_at, expires_at)
SELECT pg_temp.key(n, 2), pg_temp.key(1 + n % $3, 1), 'Coat ' || n, 1000 + n % 9000, 'AZN', 'GOOD',
    leaves.ids[1 + (pg_temp.chance(n, 10) ^ 2 * cardinality(leaves.ids))::int % cardinality(leaves.ids)],
    CASE WHEN sold < $1 + $2 THEN CASE WHEN pg_temp.chance(n, 14) < 0.02 THEN 'REMOVED' ELSE 'SOLD' END
        WHEN shown + interval '60 days' < $1 + $2 THEN 'EXPIRED' ELSE 'ACTIVE' END,
    CASE WHEN sold < $1 + $2 AND pg_temp.chance(n, 14) < 0.02 THEN 'SOLD' END,
    greatest(shown - interval '1 hour', $1), shown, CASE WHEN sold < $1 + $2 THEN sold END, shown + interval '60 days'
FROM (
    SELECT n, $1 + pg_temp.chance(n, 11) * $2 AS shown,
        CASE WHEN pg_temp.chance(n, 12) < 0.5
            THEN $1 + pg_temp.chance(n, 11) * $2 + pg_temp.chance(n, 13) * interval '58 days' END AS sold
    FROM generate_series($4::bigint, $5) AS n
) AS made, (
    SELECT array_agg(id ORDER BY slug) AS ids FROM categories k
    WHERE NOT EXISTS (SELECT FROM categories c WHERE c.parent_id = k.id)
) AS leaves
"""
_MOVES = """
INSERT INTO status_moves (at, subject, subject_id, listing_id, before, after)
SELECT m.at, m.subject, l.id, l.id, m.before, m.after
FROM listings l CROSS JOIN LATERAL (SELECT abs(uuid_hash(l.id)::bigint) % 10 < 6 AS by_deal) AS how
CROSS JOIN LATERAL (VALUES
    ('LISTING', l.created_at, NULL, 'DRAFT'),
    ('LISTING', l.published_at, 'DRAFT', 'ACTIVE'),
    ('LISTING', CASE WHEN by_deal THEN l.sold_at - (l.sold_at - l.published_at) * 0.1 END, 'ACTIVE', 'RESERVED'),
    ('LISTING', l.sold_at, CASE WHEN by_deal THEN 'RESERVED' ELSE 'ACTIVE' END, 'SOLD'),
    ('LISTING', CASE WHEN l.status = 'REMOVED' THEN l.sold_at + interval '1 hour' END, 'SOLD', 'REMOVED'),
    ('LISTING', CASE WHEN l.status = 'EXPIRED' THEN l.expires_at END, 'ACTIVE', 'EXPIRED'),
    ('RESERVATION', CASE WHEN by_deal THEN l.sold_at - (l.sold_at - l.published_at) * 0.2 END, NULL, 'REQUESTED'),
    ('RESERVATION', CASE WHEN by_deal THEN l.sold_at - (l.sold_at - l.published_at) * 0.1 END, 'REQUESTED', 'ACCEPTED'),
    ('RESERVATION', CASE WHEN by_deal THEN l.sold_at END, 'ACCEPTED', 'COMPLETED')
) AS m (subject, at, before, after)
WHERE m.at < $1 + $2 ORDER BY m.at
"""
_CHATS = """
INSERT INTO chats (id, listing_id, buyer_id, seller_id, created_at, last_message_at, last_seq)
SELECT pg_temp.key(n, 3), l.id, pg_temp.key(1 + (n * 7 + n / 100000) % $3, 1), l.seller_id, begun, begun, 3
FROM generate_series(1::bigint, $4) AS n JOIN listings l ON l.id = pg_temp.key(1 + n * 2 % $4, 2)
    CROSS JOIN LATERAL (SELECT l.published_at + pg_temp.chance(n, 20) ^ 4 * interval '40 days' AS begun) AS b
WHERE begun < $1 + $2 - interval '1 day' AND l.seller_id <> pg_temp.key(1 + (n * 7 + n / 100000) % $3, 1) ORDER BY begun
ON CONFLICT DO NOTHING
"""
_MESSAGES = """
INSERT INTO messages (id, chat_id, seq, sender_id, kind, body, created_at)
SELECT gen_random_uuid(), c.id, s, CASE WHEN s % 2 = 1 THEN c.buyer_id ELSE c.seller_id END, 'TEXT', 'Hello',
    c.created_at + (s - 1) * interval '2 hours'
FROM chats c CROSS JOIN generate_series(1, 3) AS s ORDER BY c.created_at + (s - 1) * interval '2 hours'
"""
_EVENTS = """
INSERT INTO usage_events (id, at, kind, listing_id, category, words, visitor)
SELECT gen_random_uuid(), at, CASE WHEN searched THEN 'SEARCH' ELSE 'LISTING_VIEW' END,
    CASE WHEN NOT searched THEN pg_temp.key(1 + (pg_temp.chance(n, 32) * $5)::bigint, 2) END,
    CASE WHEN NOT searched THEN leaves.slugs[1 + (pg_temp.chance(n, 33) ^ 2 * cardinality(leaves.slugs))::int
        % cardinality(leaves.slugs)] END,
    CASE WHEN searched THEN 'words ' || (pg_temp.chance(n, 34) ^ 3 * 3000)::int END,
    decode(md5((at AT TIME ZONE 'UTC')::date || '-' || (pg_temp.chance(n, 35) * 2500)::int), 'hex')
FROM (
    SELECT n, $1 + n::float8 / $4 * $2 AS at, pg_temp.chance(n, 31) < 0.3 AS searched
    FROM generate_series($3::bigint, $6) AS n
) AS made, (
    SELECT array_agg(slug ORDER BY slug) AS slugs FROM categories k
    WHERE NOT EXISTS (SELECT FROM categories c WHERE c.parent_id = k.id)
) AS leaves
"""
_STEP = 250_000
Told = Callable[[str], None]


async def write(url: str, listings: int, events: int, told: Told) -> None:
    """`url` must be a superuser's: triggers and the checks of what refers to what would take hours."""
    connection = await asyncpg.connect(url, server_settings={"timezone": "UTC", "jit": "off"})
    try:
        await connection.execute("SET session_replication_role = replica; SET synchronous_commit = off")
        await connection.execute(_CHANCE)
        begins = await connection.fetchval("SELECT date_trunc('day', now()) - make_interval(days => $1)", DAYS - 1)
        span = await connection.fetchval("SELECT now() - $1 - interval '1 minute'", begins)
        for month in range(DAYS // 28 + 2):
            await connection.execute(
                "SELECT usage_make_partition((now() - make_interval(days => $1))::date)", 28 * month
            )

        async def run(statement: str, *more: int) -> None:
            """`$1` is when the past begins, `$2` how long it is."""
            plain = statement.replace("$1", "$1::timestamptz").replace("$2", "$2::interval")
            await connection.execute(plain, begins, span, *more)

        told("people")
        await run(_PEOPLE, SELLERS)
        await run(_USER_DAYS, SELLERS)
        for start in range(1, listings + 1, _STEP):
            told(f"listings from {start:,}")
            await run(_LISTINGS, SELLERS, start, min(start + _STEP - 1, listings))
        told("moves, chats, messages")
        await run(_MOVES)
        await run(_CHATS, SELLERS, listings // 2)
        await connection.execute(_MESSAGES)
        for start in range(1, events + 1, _STEP):
            told(f"usage events from {start:,}")
            end = min(start + _STEP - 1, events)
            await run(_EVENTS, start, events, listings - 1, end)
        told("statistics")
        await connection.execute("RESET session_replication_role")
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


_COUNTS = """
SELECT
    (SELECT count(*) FROM users WHERE (created_at AT TIME ZONE 'UTC')::date BETWEEN $1 AND $2) AS new,
    (SELECT count(*) FROM users WHERE (deleted_at AT TIME ZONE 'UTC')::date BETWEEN $1 AND $2) AS "left",
    (SELECT count(*) FROM users WHERE (created_at AT TIME ZONE 'UTC')::date <= $2
        AND ((deleted_at AT TIME ZONE 'UTC')::date <= $2) IS NOT TRUE) AS total,
    (SELECT count(*) FROM listings WHERE (created_at AT TIME ZONE 'UTC')::date BETWEEN $1 AND $2) AS created,
    (SELECT count(*) FROM listings WHERE (published_at AT TIME ZONE 'UTC')::date BETWEEN $1 AND $2) AS published,
    (SELECT count(*) FROM listings WHERE (sold_at AT TIME ZONE 'UTC')::date BETWEEN $1 AND $2) AS sold,
    (SELECT count(*) FROM chats WHERE (created_at AT TIME ZONE 'UTC')::date BETWEEN $1 AND $2) AS started,
    (SELECT count(*) FROM messages WHERE (created_at AT TIME ZONE 'UTC')::date BETWEEN $1 AND $2) AS messages,
    (SELECT count(*) FROM usage_events WHERE kind = 'SEARCH'
        AND (at AT TIME ZONE 'UTC')::date BETWEEN $1 AND $2) AS searches
"""
_VIEWS = """
SELECT category, count(*) AS views FROM (
    SELECT DISTINCT (at AT TIME ZONE 'UTC')::date, category, listing_id, visitor FROM usage_events
    WHERE kind = 'LISTING_VIEW' AND (at AT TIME ZONE 'UTC')::date BETWEEN $1 AND $2
) AS seen GROUP BY category ORDER BY views DESC, category LIMIT 10
"""
_STATUSES = """
SELECT after AS status, count(*) AS n FROM (
    SELECT DISTINCT ON (listing_id) after FROM status_moves
    WHERE subject = 'LISTING' AND (at AT TIME ZONE 'UTC')::date <= $1 ORDER BY listing_id, at DESC, id DESC
) AS last GROUP BY after
"""
_FUNNEL = f"""
SELECT count(*) AS listed, count(*) FILTER (WHERE c.at < l.published_at + {_MONTH}) AS contacted,
    count(*) FILTER (WHERE r.at < l.published_at + {_MONTH}) AS reserved,
    count(*) FILTER (WHERE l.sold_at < l.published_at + {_MONTH}) AS sold
FROM listings l
    LEFT JOIN (SELECT listing_id, min(created_at) AS at FROM chats GROUP BY listing_id) AS c ON c.listing_id = l.id
    LEFT JOIN (SELECT listing_id, min(at) AS at FROM status_moves WHERE after = 'RESERVED' GROUP BY listing_id) AS r
        ON r.listing_id = l.id
WHERE (l.published_at AT TIME ZONE 'UTC')::date BETWEEN $1 AND $2
"""
_WAIT = """
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM c.at - l.published_at)) / 60 FROM listings l
    JOIN (SELECT listing_id, min(created_at) AS at FROM chats GROUP BY listing_id) AS c ON c.listing_id = l.id
WHERE (c.at AT TIME ZONE 'UTC')::date BETWEEN $1 AND $2
"""
_COHORTS = """
SELECT date_trunc('week', u.created_at)::date AS cohort, date_trunc('week', d.day::timestamp)::date AS week,
    count(DISTINCT u.id) AS people
FROM users u JOIN user_days d ON d.user_id = u.id
WHERE date_trunc('week', u.created_at)::date BETWEEN $1 AND $2 GROUP BY 1, 2
"""
_SEARCHES = """
SELECT words, sum(times)::int AS searches, sum(people)::int AS visitors FROM (
    SELECT (at AT TIME ZONE 'UTC')::date AS day, words, count(*) AS times, count(DISTINCT visitor) AS people,
        row_number() OVER (PARTITION BY (at AT TIME ZONE 'UTC')::date
            ORDER BY count(DISTINCT visitor) DESC, count(*) DESC, words) AS place
    FROM usage_events WHERE kind = 'SEARCH' AND (at AT TIME ZONE 'UTC')::date BETWEEN $1 AND $2
    GROUP BY 1, 2 HAVING count(DISTINCT visitor) >= 5
) AS days WHERE place <= 100 GROUP BY words ORDER BY visitors DESC, searches DESC, words LIMIT 10
"""


class Rows:
    """The same questions, asked of the rows."""

    def __init__(self, connection: "asyncpg.Connection[Any]") -> None:
        self._connection = connection

    async def _all(self, query: str, *days: date) -> Sequence[Any]:
        return await self._connection.fetch(query, *days)

    async def differs(self, found: dict[str, Any]) -> list[str]:
        """What the reply of `/admin/analytics` tells otherwise than the rows of its days."""
        totals, first, last = found["totals"], date.fromisoformat(found["start"]), date.fromisoformat(found["end"])
        told = {**totals["users"], **totals["visits"], **totals["listings"], **totals["chats"]}
        counted: dict[str, Any] = dict((await self._all(_COUNTS, first, last))[0])
        wrong = [f"{name}: {told[name]} for {value}" for name, value in counted.items() if told[name] != value]
        statuses = {row["status"]: row["n"] for row in await self._all(_STATUSES, last)}
        if {name: n for name, n in told["by_status"].items() if n} != statuses:
            wrong.append(f"by_status: {told['by_status']} for {statuses}")
        views = [(row["category"], row["views"]) for row in await self._all(_VIEWS, first, last)]
        if [(item["category"], item["views"]) for item in found["top_categories"]["by_views"]] != views:
            wrong.append("top categories")
        searches = [dict(row) for row in await self._all(_SEARCHES, first, last)]
        if found["top_searches"] != searches:
            wrong.append("top searches")
        wait = float((await self._all(_WAIT, first, last))[0][0])
        if abs(totals["first_message"]["median_minutes"] / wait - 1) > 0.1:
            wrong.append(f"first message: {totals['first_message']['median_minutes']} for {wait}")
        steps = dict((await self._all(_FUNNEL, first, last))[0])
        if {name: totals["sell_through"][name] for name in ("listed", "sold")} != {
            name: steps[name] for name in ("listed", "sold")
        }:
            wrong.append("sell-through")
        return wrong

    async def funnel_differs(self, found: dict[str, Any]) -> list[str]:
        first, last = date.fromisoformat(found["start"]), date.fromisoformat(found["end"])
        steps = dict((await self._all(_FUNNEL, first, last))[0])
        return [f"{name}: {found[name]} for {value}" for name, value in steps.items() if found[name] != value]

    async def cohorts_differ(self, found: dict[str, Any]) -> list[str]:
        first, last = date.fromisoformat(found["start"]), date.fromisoformat(found["end"])
        counted = {(row["cohort"], row["week"]): row["people"] for row in await self._all(_COHORTS, first, last)}
        told = {
            (week, date.fromordinal(week.toordinal() + 7 * number)): people
            for cohort in found["cohorts"]
            for week in [date.fromisoformat(cohort["week"])]
            for number, people in enumerate(cohort["active"])
            if people
        }
        return [] if told == counted else [f"{len(set(told.items()) ^ set(counted.items()))} weeks"]
