"""What is out of date, and the statements that count weeks and months: people whom days do not add up to."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Literal, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from memi.analytics.day_queries import COHORT_DAYS
from memi.analytics.typed_queries import typed

Kind = Literal["WEEK", "MONTH"]
_KINDS = {"WEEK": 1, "MONTH": 2}

# A day is settled once it was counted an hour after its end: longer than any unit of work that began in it may last.
_SETTLED = "made_at >= ((day + 1)::timestamp AT TIME ZONE 'UTC') + interval '1 hour'"
_TODAY = typed("SELECT (now() AT TIME ZONE 'UTC')::date")
_STALE_DAYS = typed(
    f"""
    WITH known AS (SELECT min(day) AS day FROM analytics_days), span AS (
        SELECT (now() AT TIME ZONE 'UTC')::date AS today, least(
            (SELECT day FROM known),
            (SELECT min(day) FROM analytics_marks),
            CASE WHEN (SELECT day FROM known) IS NULL THEN (least(
                (SELECT min(created_at) FROM users), (SELECT min(at) FROM status_moves),
                (SELECT min(at) FROM usage_events)
            ) AT TIME ZONE 'UTC')::date END,
            (now() AT TIME ZONE 'UTC')::date
        ) AS first
    )
    SELECT s.day::date
    FROM span, generate_series(span.first::timestamp, span.today::timestamp, interval '1 day') AS s (day)
    WHERE s.day::date NOT IN (SELECT day FROM analytics_days WHERE {_SETTLED})
        OR s.day::date IN (SELECT day FROM analytics_marks)
    ORDER BY s.day
    """  # noqa: S608  # only our own names
)
# What is counted from several days is out of date when one of them was counted after it: at once when that one is
# settled, after a while when it is one that goes on changing.
_OUTDATED = "(made < settled OR (made < newest AND made < statement_timestamp() - :patience))"
_STALE_COHORTS = typed(
    f"""
    SELECT day FROM (
        SELECT d.day, d.cohort_made_at AS made, s.settled, s.newest
        FROM analytics_days d CROSS JOIN LATERAL (
            SELECT max(made_at) AS newest, max(made_at) FILTER (WHERE {_SETTLED}) AS settled
            FROM analytics_days WHERE day BETWEEN d.day AND d.day + :cohort_days
        ) AS s
    ) AS found WHERE made IS NULL OR {_OUTDATED} ORDER BY day
    """  # noqa: S608  # only our own names
)
_STALE_PERIODS = typed(
    f"""
    SELECT kind, start FROM (
        SELECT f.kind, f.start, p.made_at AS made, f.newest, f.settled FROM (
            SELECT k.kind, date_trunc(k.unit, d.day::timestamp)::date AS start, max(d.made_at) AS newest,
                max(d.made_at) FILTER (WHERE {_SETTLED}) AS settled
            FROM analytics_days d, (VALUES ('WEEK', 'week'), ('MONTH', 'month')) AS k (kind, unit) GROUP BY 1, 2
        ) AS f LEFT JOIN analytics_periods p ON p.kind = f.kind AND p.start = f.start
    ) AS found WHERE made IS NULL OR ({_OUTDATED} AND start >= :kept_from) ORDER BY start, kind
    """  # noqa: S608  # only our own names
)
_PERIOD = typed(
    """
    INSERT INTO analytics_periods AS p (kind, start, made_at, active_users)
    SELECT :kind, :start, statement_timestamp(), count(DISTINCT user_id) FROM user_days
    WHERE day >= :start AND day < :next_start
    ON CONFLICT (kind, start) DO UPDATE SET made_at = excluded.made_at, active_users = excluded.active_users
    """
)
_RETENTION = typed(
    """
    INSERT INTO analytics_retention (cohort, week, people)
    SELECT date_trunc('week', u.created_at AT TIME ZONE 'UTC')::date, :start, count(*)
    FROM (SELECT DISTINCT user_id FROM user_days WHERE day >= :start AND day < :next_start) AS here
        JOIN users u ON u.id = here.user_id
    WHERE u.created_at < CAST(:next_start AS timestamp) AT TIME ZONE 'UTC'
    GROUP BY 1
    """
)
_NO_RETENTION = typed("DELETE FROM analytics_retention WHERE week = :start")
_LOCKED = typed("SELECT pg_advisory_xact_lock(7236442, :number)")
_MARK = typed("INSERT INTO analytics_marks (day) SELECT unnest(:days)")
_PRUNE = typed("DELETE FROM user_days WHERE day < :day")


class Period(NamedTuple):
    """A week, which begins on Monday, or a month."""

    kind: Kind
    start: date

    @property
    def next_start(self) -> date:
        """The first day after it."""
        if self.kind == "WEEK":
            return self.start + timedelta(days=7)
        return (self.start + timedelta(days=31)).replace(day=1)


async def today(session: AsyncSession) -> date:
    """The day it is, by the database's clock, in UTC."""
    return (await session.execute(_TODAY)).scalar_one()


async def stale_days(session: AsyncSession) -> list[date]:
    """Days to count, the oldest first: never counted, not settled when they were, or changed since."""
    return list((await session.execute(_STALE_DAYS)).scalars())


async def stale_cohorts(session: AsyncSession, patience: timedelta) -> list[date]:
    """Days whose listings may have come further since that was counted."""
    rows = await session.execute(_STALE_COHORTS, {"cohort_days": COHORT_DAYS, "patience": patience})
    return list(rows.scalars())


async def stale_periods(session: AsyncSession, patience: timedelta, kept_from: date) -> list[Period]:
    """Weeks and months to count; those that began before `kept_from` only once, since their rows may be gone."""
    rows = await session.execute(_STALE_PERIODS, {"patience": patience, "kept_from": kept_from})
    return [Period(kind, start) for kind, start in rows]


async def count_period(session: AsyncSession, period: Period) -> None:
    """Count anew who was here in a week or month, and for a week also when those people had signed up."""
    await session.execute(_LOCKED, {"number": period.start.toordinal() * 4 + _KINDS[period.kind]})
    span = {"start": period.start, "next_start": period.next_start}
    await session.execute(_PERIOD, {"kind": period.kind, **span})
    if period.kind == "WEEK":
        await session.execute(_NO_RETENTION, {"start": period.start})
        await session.execute(_RETENTION, span)


async def mark(session: AsyncSession, days: Iterable[date]) -> None:
    """Have days counted anew."""
    await session.execute(_MARK, {"days": list(days)})


async def prune_user_days(session: AsyncSession, before: date) -> None:
    await session.execute(_PRUNE, {"day": before})
