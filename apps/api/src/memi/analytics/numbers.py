"""Making the numbers of a point out of the counted days in it."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, TypeVar

import msgspec

from memi.analytics import waits
from memi.analytics.day_queries import COHORT_DAYS
from memi.analytics.schemas import (
    ChatNumbers,
    FirstMessage,
    ListingNumbers,
    Numbers,
    OrderNumbers,
    ReservationNumbers,
    SellThrough,
    UserNumbers,
    VisitNumbers,
)
from memi.analytics.windows import Window
from memi.listings.models import STATUSES

T = TypeVar("T", bound=msgspec.Struct)
_COUNTS = tuple(
    f"{prefix}_{name}"
    for prefix, kind in (
        ("listings", ListingNumbers),
        ("reservations", ReservationNumbers),
        ("orders", OrderNumbers),
    )
    for name in kind.__struct_fields__
    if name != "by_status"
)
_CHANGES = {status: f"{status.lower()}_change" for status in STATUSES}
_SUMMED = (
    *_COUNTS, *_CHANGES.values(), "new_users", "left_users", "visitors", "views", "searches", "chats_started",
    "messages_sent", "cohort_listed", "cohort_sold",
)  # fmt: skip


class Standing:
    """How many accounts and listings there are, as days go by."""

    def __init__(self, before: Mapping[str, int]) -> None:
        self.users = before["new_users"] - before["left_users"]
        self.by_status = {status: before[name] for status, name in _CHANGES.items()}

    def add(self, sums: Mapping[str, int]) -> None:
        """Let the days pass whose sums these are."""
        self.users += sums["new_users"] - sums["left_users"]
        self.by_status = {status: count + sums[_CHANGES[status]] for status, count in self.by_status.items()}


class Sums:
    """What some days, or points, come to together."""

    def __init__(self, sums: Mapping[str, int], waited: Sequence[int]) -> None:
        self.sums = sums
        self.waited = waited

    @classmethod
    def of_days(cls, days: Sequence[Mapping[str, Any]]) -> "Sums":
        if len(days) == 1:
            return cls(days[0], days[0]["waits"])
        return cls(
            {name: sum([day[name] for day in days]) for name in _SUMMED}, waits.total(day["waits"] for day in days)
        )

    @classmethod
    def of_points(cls, points: Sequence["Sums"]) -> "Sums":
        sums = {name: sum([point.sums[name] for point in points]) for name in _SUMMED}
        return cls(sums, waits.total(point.waited for point in points))

    def _counts(self, prefix: str, kind: type[T], **more: Any) -> T:
        fields: tuple[str, ...] = kind.__struct_fields__
        return kind(**{name: self.sums[f"{prefix}_{name}"] for name in fields if name not in more}, **more)

    def numbers(self, window: Window, standing: Standing, active: int | None, today: date) -> Numbers:
        """`standing` is what there is at the end of the window."""
        sums = self.sums
        median = waits.median(self.waited)
        listed, sold = sums["cohort_listed"], sums["cohort_sold"]
        return Numbers(
            start=window.start,
            end=window.end,
            users=UserNumbers(sums["new_users"], sums["left_users"], active, standing.users),
            visits=VisitNumbers(sums["visitors"], sums["views"], sums["searches"]),
            listings=self._counts("listings", ListingNumbers, by_status=dict(standing.by_status)),
            chats=ChatNumbers(sums["chats_started"], sums["messages_sent"]),
            reservations=self._counts("reservations", ReservationNumbers),
            orders=self._counts("orders", OrderNumbers),
            sell_through=SellThrough(listed, sold, share(sold, listed), is_final(window, today)),
            first_message=FirstMessage(sum(self.waited), None if median is None else round(median / 60, 1)),
        )


def share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def is_final(window: Window, today: date) -> bool:
    """Whether all listings that were first shown in these days have had the time that counts."""
    return window.end + timedelta(days=COHORT_DAYS) < today
