"""Answers from what was counted."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from memi.analytics import queries
from memi.analytics.numbers import Standing, Sums, is_final
from memi.analytics.schemas import (
    AnalyticsQuery,
    AnalyticsRead,
    CategoryNumbers,
    Cohort,
    CohortsRead,
    FunnelQuery,
    FunnelRead,
    Granularity,
    Numbers,
    TopCategories,
    WindowQuery,
)
from memi.analytics.windows import Window, points_of, widened, window_of
from memi.catalog import service as catalog
from memi.platform.errors import ValidationFailed

_TOP = 10
_WEEK = timedelta(days=7)


async def overview(session: AsyncSession, asked: AnalyticsQuery) -> AnalyticsRead:
    """The numbers of a window, point by point and together; raises `ValidationFailed`."""
    now = await queries.moment(session)
    window = widened(window_of(asked, now.today), asked.granularity, now.today)
    days = await queries.days(session, *window)
    found = await queries.besides(session, *window, kind=asked.granularity.upper(), most=_TOP)
    standing = Standing(found.before)
    active = {day["day"]: day["active_users"] for day in days} if asked.granularity == "day" else found.active
    points: list[Numbers] = []
    parts: list[Sums] = []
    for point, part in _parts(window, asked.granularity, days):
        standing.add(part.sums)
        points.append(part.numbers(point, standing, active.get(point.start, 0), now.today))
        parts.append(part)
    return AnalyticsRead(
        start=window.start,
        end=window.end,
        granularity=asked.granularity,
        as_of=now.days_made_at,
        totals=Sums.of_points(parts).numbers(window, standing, None, now.today),
        points=points,
        top_categories=_top_categories(found.categories),
        top_searches=found.searches,
    )


def _parts(
    window: Window, granularity: Granularity, days: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[Window, Sums]]:
    """Each point with what its days come to. Days are in order, and some may not have been counted."""
    place = 0
    for point in points_of(window, granularity):
        begin = place
        while place < len(days) and days[place]["day"] <= point.end:
            place += 1
        yield point, Sums.of_days(days[begin:place])


def _top_categories(found: Sequence[CategoryNumbers]) -> TopCategories:
    def most(name: str) -> list[CategoryNumbers]:
        some = [item for item in found if getattr(item, name)]
        return sorted(some, key=lambda item: (-getattr(item, name), item.category))[:_TOP]

    return TopCategories(most("views"), most("contacts"), most("sold"))


async def cohorts(session: AsyncSession, asked: WindowQuery) -> CohortsRead:
    """Who signed up in each week of a window, and how many of them came back; raises `ValidationFailed`."""
    now = await queries.moment(session)
    window = widened(window_of(asked, now.today), "week", now.today)
    people = await queries.signed_up(session, *window)
    returned = await queries.retention(session, *window)
    found: list[Cohort] = []
    for point in points_of(window, "week"):
        weeks = (now.today - point.start) // _WEEK + 1
        active = [returned.get((point.start, point.start + number * _WEEK), 0) for number in range(weeks)]
        found.append(Cohort(point.start, people.get(point.start, 0), active))
    return CohortsRead(window.start, window.end, now.periods_made_at, found)


async def funnel(session: AsyncSession, asked: FunnelQuery) -> FunnelRead:
    """How far the listings first shown in a window came; raises `ValidationFailed`."""
    now = await queries.moment(session)
    window = window_of(asked, now.today)
    slug, slugs = await _subtree(session, asked.category)
    listed, contacted, reserved, sold = await queries.funnel(session, *window, slugs)
    return FunnelRead(
        start=window.start,
        end=window.end,
        category=slug,
        as_of=now.cohorts_made_at,
        is_final=is_final(window, now.today),
        listed=listed,
        contacted=contacted,
        reserved=reserved,
        sold=sold,
    )


async def _subtree(session: AsyncSession, slug: str | None) -> tuple[str | None, list[str] | None]:
    """A category as the catalogue writes it, with all below it; raises `ValidationFailed`."""
    if slug is None:
        return None, None
    node = (await catalog.snapshot(session)).category(slug)
    if node is None:
        raise ValidationFailed.of("/category", "unknown_value", "There is no such category.")
    return node.slug, [item.slug for item in node.subtree]
