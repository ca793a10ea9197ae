"""Shapes of analytics: what may be asked, and the numbers that answer."""

import re
from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from pydantic import BeforeValidator, Field

from memi.platform.validation import RequestModel

Granularity = Literal["day", "week", "month"]
_IS_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch


def _day(value: object) -> object:
    """Nothing but a date: a number would be taken for seconds."""
    if isinstance(value, str) and _IS_DAY(value.strip()):
        try:
            return date.fromisoformat(value.strip())
        except ValueError:
            pass  # such as the 31st of June, refused below
    raise ValueError("bad_format: Must be a day like 2026-01-31.")


Day = Annotated[date, BeforeValidator(_day)]


class WindowQuery(RequestModel):
    """Days are those of UTC, both inclusive."""

    first: Day | None = Field(None, alias="from", description="A day like 2026-01-01; 29 days before `to` if left out.")
    last: Day | None = Field(None, alias="to", description="A day like 2026-01-31; today if left out.")


class AnalyticsQuery(WindowQuery):
    granularity: Granularity = Field(
        "day", description="A point for each of these; weeks begin on Monday. The window is widened to whole ones."
    )


class FunnelQuery(WindowQuery):
    category: Annotated[str, Field(min_length=1, max_length=80)] | None = Field(
        None, description="Slug; everything below it is included."
    )


class UserNumbers(msgspec.Struct):
    """`active` is how many different people were here, told for points only; `total` is at the end."""

    new: int
    left: int
    active: int | None
    total: int


class VisitNumbers(msgspec.Struct):
    """`visitors` counts whoever came on two days twice, `views` who looked at the same listing twice on a day once."""

    visitors: int
    views: int
    searches: int


class ListingNumbers(msgspec.Struct):
    """`published` is shown for the first time; `by_status` is how many there are at the end."""

    created: int
    published: int
    sold: int
    expired: int
    deleted: int
    removed: int
    by_status: dict[str, int]


class ChatNumbers(msgspec.Struct):
    """`messages` are people's, without lines that nobody wrote."""

    started: int
    messages: int


class ReservationNumbers(msgspec.Struct):
    made: int
    accepted: int
    rejected: int
    cancelled: int
    completed: int
    expired: int


class OrderNumbers(msgspec.Struct):
    made: int
    paid: int
    completed: int
    cancelled: int
    payment_failed: int
    refunded: int


class SellThrough(msgspec.Struct):
    """Of the listings first shown in these days, how many were sold within 30 days; not final while some have not had
    these 30 days."""

    listed: int
    sold: int
    share: float | None
    is_final: bool


class FirstMessage(msgspec.Struct):
    """Listings that got their first message in these days, and how long half of them had waited at most."""

    listings: int
    median_minutes: float | None


class Numbers(msgspec.Struct):
    """From `start` to `end`, both inclusive."""

    start: date
    end: date
    users: UserNumbers
    visits: VisitNumbers
    listings: ListingNumbers
    chats: ChatNumbers
    reservations: ReservationNumbers
    orders: OrderNumbers
    sell_through: SellThrough
    first_message: FirstMessage


class CategoryNumbers(msgspec.Struct):
    category: str
    views: int
    contacts: int
    sold: int


class TopCategories(msgspec.Struct):
    by_views: list[CategoryNumbers]
    by_contacts: list[CategoryNumbers]
    by_sold: list[CategoryNumbers]


class SearchNumbers(msgspec.Struct):
    """Summed over the days on which at least five different visitors searched for these words."""

    words: str
    searches: int
    visitors: int


class AnalyticsRead(msgspec.Struct):
    """`as_of` is when the newest of it was counted; null while nothing was."""

    start: date
    end: date
    granularity: Granularity
    as_of: datetime | None
    totals: Numbers
    points: list[Numbers]
    top_categories: TopCategories
    top_searches: list[SearchNumbers]


class Cohort(msgspec.Struct):
    """People who signed up in the week from `week` on; `active[n]` of them were here n weeks later."""

    week: date
    people: int
    active: list[int]


class CohortsRead(msgspec.Struct):
    start: date
    end: date
    as_of: datetime | None
    cohorts: list[Cohort]


class FunnelRead(msgspec.Struct):
    """Of the listings first shown in these days, how many came so far within 30 days. Each step is counted for itself:
    what is sold by hand was sold without a reservation."""

    start: date
    end: date
    category: str | None
    as_of: datetime | None
    is_final: bool
    listed: int
    contacted: int
    reserved: int
    sold: int
