"""The statements that count one day: each reads that day's rows alone and replaces what was counted of it before."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncSession

from memi.analytics.typed_queries import typed
from memi.analytics.waits import BOUNDS
from memi.listings.models import STATUSES

MANY = 5
"""So many different visitors must have searched for words before anybody is told of them."""
MOST_SEARCHES = 100
COHORT_DAYS = 30
"""How long after a listing was first shown it still counts what became of it."""

_LOCKED = typed("SELECT pg_advisory_xact_lock(7236441, :number)")
_MONTH_LOCKED = typed("SELECT pg_advisory_xact_lock(7236443, :number)")
_FORGET = typed("DELETE FROM analytics_marks WHERE day = :day")
_KNOWN = typed("SELECT day FROM analytics_days WHERE day = :day")
_NO_CATEGORIES = typed("DELETE FROM analytics_categories WHERE span = 'DAY' AND day = :day")
_NO_SEARCHES = typed("DELETE FROM analytics_searches WHERE span = 'DAY' AND day = :day")
_NO_COHORT = typed("DELETE FROM analytics_cohorts WHERE span = 'DAY' AND day = :day")


def first_shown(row: str) -> str:
    """Whether the move `row` showed its listing for the first time."""
    return (
        f"({row}.subject = 'LISTING' AND {row}.before = 'DRAFT' AND {row}.after = 'ACTIVE' AND NOT EXISTS ("
        f"SELECT FROM status_moves e WHERE e.listing_id = {row}.listing_id AND e.subject = 'LISTING' "
        f"AND e.before = 'DRAFT' AND e.after = 'ACTIVE' AND (e.at, e.id) < ({row}.at, {row}.id)))"
    )


_SOLD = "subject = 'LISTING' AND before IN ('ACTIVE', 'RESERVED') AND after = 'SOLD'"
_MOVES = {
    "listings_created": "subject = 'LISTING' AND before IS NULL",
    "listings_published": "shown",
    "listings_sold": _SOLD,
    "listings_expired": "subject = 'LISTING' AND after = 'EXPIRED' AND before = 'ACTIVE'",
    "listings_deleted": "subject = 'LISTING' AND after = 'DELETED'",
    "listings_removed": "subject = 'LISTING' AND after = 'REMOVED'",
    "reservations_made": "subject = 'RESERVATION' AND before IS NULL",
    **{
        f"reservations_{status.lower()}": f"subject = 'RESERVATION' AND after = '{status}'"
        for status in ("ACCEPTED", "REJECTED", "CANCELLED", "COMPLETED", "EXPIRED")
    },
    "orders_made": "subject = 'ORDER' AND before IS NULL",
    **{
        f"orders_{status.lower()}": f"subject = 'ORDER' AND after = '{status}'"
        for status in ("PAID", "COMPLETED", "CANCELLED", "PAYMENT_FAILED", "REFUNDED")
    },
}
_CHANGES = {
    f"{status.lower()}_change": f"count(*) FILTER (WHERE subject = 'LISTING' AND after = '{status}') "
    f"- count(*) FILTER (WHERE subject = 'LISTING' AND before = '{status}')"
    for status in STATUSES
}
_OF_MOVES = {**{name: f"count(*) FILTER (WHERE {what})" for name, what in _MOVES.items()}, **_CHANGES}
_OF_USAGE = {
    "views": "count(DISTINCT (listing_id, visitor)) FILTER (WHERE kind = 'LISTING_VIEW')",
    "searches": "count(*) FILTER (WHERE kind = 'SEARCH')",
    "visitors": "count(DISTINCT visitor) FILTER (WHERE kind IN ('LISTING_VIEW', 'SEARCH'))",
}
_OF_PEOPLE = {
    "new_users": "(SELECT count(*) FROM users WHERE created_at >= :begins AND created_at < :ends)",
    "left_users": "(SELECT count(*) FROM users WHERE deleted_at >= :begins AND deleted_at < :ends)",
    "active_users": "(SELECT count(*) FROM user_days WHERE day = :day)",
}
_OF_CHATS = {
    "chats_started": "(SELECT count(*) FROM begun)",
    "messages_sent": "(SELECT count(*) FROM messages WHERE created_at >= :begins AND created_at < :ends "
    "AND kind <> 'SYSTEM')",
    "waits": "(SELECT array_agg(coalesce(w.cases, 0)::int ORDER BY place) "
    "FROM generate_series(0, cardinality(:bounds)) AS place LEFT JOIN waits w ON w.span = place)",
}
_PASSING = ("active_users", *_OF_USAGE)
"""What is counted from rows that are not kept for ever."""
_ALL = (*_OF_MOVES, *_OF_USAGE, *_OF_PEOPLE, *_OF_CHATS)


def _named(expressions: dict[str, str]) -> str:
    return ",\n        ".join(f"{expression} AS {name}" for name, expression in expressions.items())


def _renewed(name: str) -> str:
    return (
        f"{name} = CASE WHEN :whole THEN excluded.{name} ELSE d.{name} END"
        if name in _PASSING
        else f"{name} = excluded.{name}"
    )


# A chat has begun with its first line.
_BEGUN = """
    SELECT f.created_at AS at, c.id, c.listing_id FROM messages f JOIN chats c ON c.id = f.chat_id
    WHERE f.seq = 1 AND f.created_at >= :begins AND f.created_at < :ends
"""
_DAY = typed(
    f"""
    WITH begun AS MATERIALIZED ({_BEGUN}),
    waits AS (
        SELECT width_bucket(greatest(extract(epoch FROM b.at - p.at), 0)::float8, :bounds) AS span, count(*) AS cases
        FROM begun b CROSS JOIN LATERAL (
            SELECT min(m.at) AS at FROM status_moves m WHERE m.listing_id = b.listing_id AND m.subject = 'LISTING'
                AND m.before = 'DRAFT' AND m.after = 'ACTIVE'
        ) AS p
        WHERE p.at IS NOT NULL AND NOT EXISTS (
            SELECT FROM chats o JOIN messages f ON f.chat_id = o.id AND f.seq = 1
            WHERE o.listing_id = b.listing_id AND (f.created_at, o.id) < (b.at, b.id)
        )
        GROUP BY 1
    )
    INSERT INTO analytics_days AS d (day, made_at, {", ".join(_ALL)})
    SELECT :day, statement_timestamp(), of_moves.*, of_usage.*,
        {_named(_OF_PEOPLE)},
        {_named(_OF_CHATS)}
    FROM (SELECT
        {_named(_OF_MOVES)}
        FROM (
            SELECT m.subject, m.before, m.after, {first_shown("m")} AS shown
            FROM status_moves m WHERE m.at >= :begins AND m.at < :ends
        ) AS moved
    ) AS of_moves, (SELECT
        {_named(_OF_USAGE)}
        FROM usage_events WHERE at >= :begins AND at < :ends
    ) AS of_usage
    ON CONFLICT (day) DO UPDATE SET made_at = excluded.made_at, {", ".join(_renewed(name) for name in _ALL)}
    """  # noqa: S608  # only our own names
)
_CATEGORIES = typed(
    f"""
    INSERT INTO analytics_categories (span, day, category, views, contacts, sold)
    SELECT 'DAY', :day, category, sum(views), sum(contacts), sum(sold) FROM (
        SELECT coalesce(category, '') AS category, count(DISTINCT (listing_id, visitor)) AS views, 0 AS contacts,
            0 AS sold
        FROM usage_events WHERE at >= :begins AND at < :ends AND kind = 'LISTING_VIEW' GROUP BY 1
        UNION ALL
        SELECT coalesce(k.slug, ''), 0, count(*), 0
        FROM ({_BEGUN}) AS begun LEFT JOIN listings l ON l.id = begun.listing_id
            LEFT JOIN categories k ON k.id = l.category_id
        GROUP BY 1
        UNION ALL
        SELECT coalesce(k.slug, ''), 0, 0, count(*)
        FROM status_moves m LEFT JOIN listings l ON l.id = m.listing_id
            LEFT JOIN categories k ON k.id = l.category_id
        WHERE m.at >= :begins AND m.at < :ends AND {_SOLD} GROUP BY 1
    ) AS found GROUP BY category
    """  # noqa: S608  # only our own names
)
_SEARCHES = typed(
    """
    INSERT INTO analytics_searches (span, day, words, searches, visitors)
    SELECT 'DAY', :day, words, count(*), count(DISTINCT visitor) FROM usage_events
    WHERE at >= :begins AND at < :ends AND kind = 'SEARCH' AND words <> ''
    GROUP BY words HAVING count(DISTINCT visitor) >= :many ORDER BY 5 DESC, 4 DESC, 3 LIMIT :most
    """
)
_COHORT = typed(
    f"""
    WITH shown AS MATERIALIZED (
        SELECT m.listing_id, m.at FROM status_moves m
        WHERE m.at >= :begins AND m.at < :ends AND {first_shown("m")}
    ), far AS (
        SELECT s.listing_id,
            EXISTS (SELECT FROM chats c JOIN messages f ON f.chat_id = c.id AND f.seq = 1
                WHERE c.listing_id = s.listing_id AND f.created_at < s.at + :within) AS contacted,
            EXISTS (SELECT FROM status_moves r WHERE r.listing_id = s.listing_id AND r.subject = 'LISTING'
                AND r.before = 'ACTIVE' AND r.after = 'RESERVED' AND r.at < s.at + :within) AS reserved,
            EXISTS (SELECT FROM status_moves r WHERE r.listing_id = s.listing_id AND {_SOLD}
                AND r.at < s.at + :within) AS sold
        FROM shown s
    )
    INSERT INTO analytics_cohorts (span, day, category, listed, contacted, reserved, sold)
    SELECT 'DAY', :day, coalesce(k.slug, ''), count(*), count(*) FILTER (WHERE contacted),
        count(*) FILTER (WHERE reserved), count(*) FILTER (WHERE far.sold)
    FROM far LEFT JOIN listings l ON l.id = far.listing_id LEFT JOIN categories k ON k.id = l.category_id
    GROUP BY 3
    """  # noqa: S608  # only our own names
)
_COHORT_TOTAL = typed(
    """
    UPDATE analytics_days SET cohort_made_at = statement_timestamp(),
        cohort_listed = coalesce((SELECT sum(listed) FROM analytics_cohorts WHERE span = 'DAY' AND day = :day), 0),
        cohort_sold = coalesce((SELECT sum(sold) FROM analytics_cohorts WHERE span = 'DAY' AND day = :day), 0)
    WHERE day = :day
    """
)

_SUMMED = {
    "analytics_categories": ("category", "views, contacts, sold"),
    "analytics_searches": ("words", "searches, visitors"),
    "analytics_cohorts": ("category", "listed, contacted, reserved, sold"),
}


def _month(table: str) -> tuple[TextClause, TextClause]:
    """The statements that sum the days of a month anew."""
    part, names = _SUMMED[table]
    sums = ", ".join(f"sum({name})" for name in names.split(", "))
    return (
        typed(f"DELETE FROM {table} WHERE span = 'MONTH' AND day = :start"),  # noqa: S608  # only our own names
        typed(
            f"INSERT INTO {table} (span, day, {part}, {names}) SELECT 'MONTH', :start, {part}, {sums} FROM {table} "  # noqa: S608  # only our own names
            f"WHERE span = 'DAY' AND day >= :start AND day < :next_start GROUP BY {part}"
        ),
    )


_MONTHS = {table: _month(table) for table in _SUMMED}


def bounds_of(day: date) -> dict[str, datetime]:
    """When a day begins and ends, in UTC."""
    begins = datetime.combine(day, time(), UTC)
    return {"begins": begins, "ends": begins + timedelta(days=1)}


async def count_day(session: AsyncSession, day: date, *, whole: bool) -> None:
    """Count a day anew. Not `whole`: rows that are not kept for ever may be gone, so what they once told stays."""
    await _lock(session, day)
    # Before anything is read: a mark that comes later is of something that may not have been counted.
    await session.execute(_FORGET, {"day": day})
    span: dict[str, Any] = {"day": day, **bounds_of(day)}
    if not whole:
        known = await session.execute(_KNOWN, {"day": day})
        whole = known.first() is None
    await session.execute(_DAY, {**span, "whole": whole, "bounds": list(BOUNDS)})
    if whole:
        await session.execute(_NO_CATEGORIES, {"day": day})
        await session.execute(_CATEGORIES, span)
        await session.execute(_NO_SEARCHES, {"day": day})
        await session.execute(_SEARCHES, {**span, "many": MANY, "most": MOST_SEARCHES})
        await _sum_month(session, day, "analytics_categories", "analytics_searches")


async def count_cohort(session: AsyncSession, day: date) -> None:
    """Count anew what became of the listings that were first shown on a day which has been counted."""
    await _lock(session, day)
    await session.execute(_NO_COHORT, {"day": day})
    await session.execute(_COHORT, {"day": day, "within": timedelta(days=COHORT_DAYS), **bounds_of(day)})
    await session.execute(_COHORT_TOTAL, {"day": day})
    await _sum_month(session, day, "analytics_cohorts")


async def _sum_month(session: AsyncSession, day: date, *tables: str) -> None:
    start = day.replace(day=1)
    # One at a time for each month, after the lock of the day: who comes second sees the other's day.
    await session.execute(_MONTH_LOCKED, {"number": start.toordinal()})
    month = {"start": start, "next_start": (start + timedelta(days=31)).replace(day=1)}
    for table in tables:
        forget, add = _MONTHS[table]
        await session.execute(forget, {"start": start})
        await session.execute(add, month)


async def _lock(session: AsyncSession, day: date) -> None:
    """One at a time for each day: who comes second counts what the first one's moment did not show."""
    await session.execute(_LOCKED, {"number": day.toordinal()})
