"""What is read to answer: counted rows only, all of one moment."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from memi.analytics.models import AnalyticsDay
from memi.analytics.schemas import CategoryNumbers, SearchNumbers
from memi.analytics.typed_queries import typed

_DAY_COLUMNS = [column.name for column in AnalyticsDay.__table__.columns]
_ADDED_UP = [name for name in _DAY_COLUMNS if name.endswith(("_users", "_change"))]

AGE = "SELECT extract(epoch FROM clock_timestamp() - max(made_at))::float8 AS age FROM analytics_days"
"""Since how many seconds nothing was counted; null while nothing ever was."""

_ONE_MOMENT: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
# Starting parallel workers would cost more than reading these few thousand rows does.
_MOMENT = typed(
    "SELECT set_config('max_parallel_workers_per_gather', '0', true), (now() AT TIME ZONE 'UTC')::date, "
    "(SELECT max(made_at) FROM analytics_days), "
    "(SELECT max(cohort_made_at) FROM analytics_days), (SELECT max(made_at) FROM analytics_periods)"
)
_DAYS = typed(
    f"SELECT {', '.join(_DAY_COLUMNS)} FROM analytics_days WHERE day BETWEEN :first AND :last ORDER BY day"  # noqa: S608  # only our own names
)


def _within(table: str) -> str:
    """The rows of a window: whole months by their sums, days before and after them by themselves."""
    return (
        f"(SELECT * FROM {table} WHERE span = 'MONTH' AND day >= :months_from AND day < :months_to UNION ALL "  # noqa: S608  # only our own names
        f"SELECT * FROM {table} WHERE span = 'DAY' AND day >= :first AND day < :months_from UNION ALL "
        f"SELECT * FROM {table} WHERE span = 'DAY' AND day >= :months_to AND day <= :last) AS within"
    )


_BEFORE = (
    f"SELECT {', '.join(f'coalesce(sum({name}), 0) AS {name}' for name in _ADDED_UP)} "  # noqa: S608  # only our own names
    "FROM analytics_days WHERE day < :first"
)
_ACTIVE = "FROM analytics_periods WHERE kind = :kind AND start BETWEEN :first AND :last"
_CATEGORIES = (
    "SELECT category, sum(views) AS views, sum(contacts) AS contacts, sum(sold) AS sold "  # noqa: S608  # only our own names
    f"FROM {_within('analytics_categories')} WHERE category <> '' GROUP BY category"
)
_SEARCHES = (
    "SELECT words, sum(searches) AS searches, sum(visitors) AS visitors "  # noqa: S608  # only our own names
    f"FROM {_within('analytics_searches')} GROUP BY words ORDER BY 3 DESC, 2 DESC, words LIMIT :most"
)
_BESIDES = typed(
    f"""
    SELECT json_build_object(
        'before', (SELECT row_to_json(found) FROM ({_BEFORE}) AS found),
        'active', (SELECT coalesce(json_object_agg(start, active_users), '{{}}') {_ACTIVE}),
        'categories', (SELECT coalesce(json_agg(found), '[]') FROM ({_CATEGORIES}) AS found),
        'searches', (SELECT coalesce(json_agg(found), '[]') FROM ({_SEARCHES}) AS found)
    )::text
    """  # noqa: S608  # only our own statements
)
_FUNNEL = typed(
    "SELECT coalesce(sum(listed), 0), coalesce(sum(contacted), 0), coalesce(sum(reserved), 0), coalesce(sum(sold), 0) "  # noqa: S608  # only our own names
    f"FROM {_within('analytics_cohorts')} "
    "WHERE CAST(:categories AS text[]) IS NULL OR category = ANY(:categories)"
)
_SIGNED_UP = typed(
    "SELECT date_trunc('week', day::timestamp)::date AS week, sum(new_users) FROM analytics_days "
    "WHERE day BETWEEN :first AND :last GROUP BY 1"
)
_RETENTION = typed("SELECT cohort, week, people FROM analytics_retention WHERE cohort BETWEEN :first AND :last")


class Moment(NamedTuple):
    """The day it is (UTC), and when days, cohorts of listings, and weeks and months were last counted."""

    today: date
    days_made_at: datetime | None
    cohorts_made_at: datetime | None
    periods_made_at: datetime | None


def _split(first: date, last: date) -> dict[str, date]:
    """A window with the whole months in it, from `months_from` up to but without `months_to`; no days twice."""
    months_from = first if first.day == 1 else (first.replace(day=1) + timedelta(days=31)).replace(day=1)
    after = last + timedelta(days=1)
    months_to = after.replace(day=1)
    if months_from >= months_to:
        months_from = months_to = after
    return {"first": first, "last": last, "months_from": months_from, "months_to": months_to}


async def moment(session: AsyncSession) -> Moment:
    """The present; all that this unit of work reads from now on is as of it. Must be its first statement."""
    await session.connection(execution_options=_ONE_MOMENT)
    _, *found = (await session.execute(_MOMENT)).one()
    return Moment(*found)


async def days(session: AsyncSession, first: date, last: date) -> Sequence[Mapping[str, Any]]:
    """The counted days in order, by the names of their columns."""
    rows = await session.execute(_DAYS, {"first": first, "last": last})
    return [dict(zip(_DAY_COLUMNS, row, strict=True)) for row in rows]


class Besides(msgspec.Struct):
    """What goes with the days of a window: sums of all days before it, of those columns whose sum says how many there
    are; different people in its weeks or months, by their first day; each category; what was searched for most."""

    before: dict[str, int]
    active: dict[date, int]
    categories: list[CategoryNumbers]
    searches: list[SearchNumbers]


async def besides(session: AsyncSession, first: date, last: date, kind: str, most: int) -> Besides:
    """All in one statement, since each would take longer to get there than to be answered."""
    wanted = {**_split(first, last), "kind": kind, "most": most}
    return msgspec.json.decode((await session.execute(_BESIDES, wanted)).scalar_one(), type=Besides)


async def funnel(
    session: AsyncSession, first: date, last: date, slugs: Sequence[str] | None
) -> tuple[int, int, int, int]:
    """(listed, contacted, reserved, sold), of these categories or of all."""
    wanted = {**_split(first, last), "categories": None if slugs is None else list(slugs)}
    listed, contacted, reserved, sold = (await session.execute(_FUNNEL, wanted)).one()
    return int(listed), int(contacted), int(reserved), int(sold)


async def signed_up(session: AsyncSession, first: date, last: date) -> dict[date, int]:
    """New accounts by week."""
    rows = await session.execute(_SIGNED_UP, {"first": first, "last": last})
    return {week: int(people) for week, people in rows}


async def retention(session: AsyncSession, first: date, last: date) -> dict[tuple[date, date], int]:
    """How many people of a week's sign-ups, from `first` to `last`, were here in another week."""
    rows = await session.execute(_RETENTION, {"first": first, "last": last})
    return {(cohort, week): people for cohort, week, people in rows}
