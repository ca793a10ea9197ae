"""Which days a question is about, and how they fall into weeks or months."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

from memi.analytics.schemas import Granularity, WindowQuery
from memi.platform.errors import FieldError, ValidationFailed

MOST_DAYS = 400
"""A year, and what one compares it with."""
_USUAL_DAYS = 30
_DAY = timedelta(days=1)


class Window(NamedTuple):
    """Days from `start` to `end`, both inclusive."""

    start: date
    end: date


def window_of(asked: WindowQuery, today: date) -> Window:
    """The days asked for, none after today; raises `ValidationFailed`."""
    end = asked.last or max(today, asked.first or today)
    start = asked.first or date.fromordinal(max(end.toordinal() - _USUAL_DAYS + 1, 1))
    errors: list[FieldError] = []
    if start > end:
        errors.append(FieldError("/from", "out_of_range", "Must not be after `to`."))
    if start > today:
        errors.append(FieldError("/from", "out_of_range", "Must not be after today, which ends with the day of UTC."))
    if (end - start).days >= MOST_DAYS:
        errors.append(FieldError("/to", "out_of_range", f"Must be within {MOST_DAYS} days from `from`."))
    if errors:
        raise ValidationFailed(errors)
    return Window(start, min(end, today))


def start_of(day: date, granularity: Granularity) -> date:
    """The first day of the week, from Monday, or month that `day` is in."""
    if granularity == "week":
        return day - day.weekday() * _DAY
    return day.replace(day=1) if granularity == "month" else day


def end_of(day: date, granularity: Granularity) -> date:
    """The last day of the week or month that `day` is in."""
    start = start_of(day, granularity)
    if granularity == "week":
        return start + 6 * _DAY
    return (start + 31 * _DAY).replace(day=1) - _DAY if granularity == "month" else day


def widened(window: Window, granularity: Granularity, today: date) -> Window:
    """The window with the whole of the weeks or months that it begins and ends in, as far as they have come."""
    return Window(start_of(window.start, granularity), min(end_of(window.end, granularity), today))


def points_of(window: Window, granularity: Granularity) -> Iterator[Window]:
    """The days, weeks or months of a widened window; the last one may be under way."""
    start = window.start
    while start <= window.end:
        end = end_of(start, granularity)
        yield Window(start, min(end, window.end))
        start = end + _DAY
