"""Days, and how they fall into weeks and months."""

from datetime import date, timedelta
from itertools import pairwise

import pytest

from memi.analytics.schemas import Granularity, WindowQuery
from memi.analytics.windows import MOST_DAYS, Window, points_of, widened, window_of
from memi.platform.errors import ValidationFailed

TODAY = date(2026, 3, 18)  # a Wednesday


def asked(first: str | None = None, last: str | None = None) -> WindowQuery:
    given = {name: value for name, value in (("from", first), ("to", last)) if value is not None}
    return WindowQuery.model_validate(given)


class TestWindow:
    def test_the_last_thirty_days_unless_told_otherwise(self) -> None:
        assert window_of(asked(), TODAY) == Window(date(2026, 2, 17), TODAY)
        assert window_of(asked(last="2026-01-31"), TODAY) == Window(date(2026, 1, 2), date(2026, 1, 31))
        assert window_of(asked("2026-03-01"), TODAY) == Window(date(2026, 3, 1), TODAY)

    def test_nothing_is_told_of_days_to_come(self) -> None:
        assert window_of(asked("2026-03-17", "2026-03-20"), TODAY) == Window(date(2026, 3, 17), TODAY)

    def test_as_many_days_as_it_may_have(self) -> None:
        first = TODAY - timedelta(days=MOST_DAYS - 1)
        assert window_of(asked(first.isoformat(), TODAY.isoformat()), TODAY) == Window(first, TODAY)

    @pytest.mark.parametrize(
        ("first", "last", "pointers"),
        [
            ("2026-03-02", "2026-03-01", ["/from"]),
            ("2026-03-19", "2026-03-20", ["/from"]),
            ("2026-03-19", None, ["/from"]),
            ("2026-03-20", "2026-03-19", ["/from", "/from"]),
            ("2024-01-01", "2026-03-01", ["/to"]),
        ],
    )
    def test_other_windows_are_refused(self, first: str, last: str | None, pointers: list[str]) -> None:
        with pytest.raises(ValidationFailed) as refused:
            window_of(asked(first, last), TODAY)
        assert [(error.pointer, error.code) for error in refused.value.errors] == [
            (pointer, "out_of_range") for pointer in pointers
        ]


class TestPoints:
    @pytest.mark.parametrize(
        ("granularity", "expected"),
        [
            ("day", Window(date(2026, 2, 27), date(2026, 3, 5))),
            ("week", Window(date(2026, 2, 23), date(2026, 3, 8))),
            ("month", Window(date(2026, 2, 1), TODAY)),
        ],
    )
    def test_a_window_is_widened_to_whole_ones_up_to_today(self, granularity: Granularity, expected: Window) -> None:
        assert widened(Window(date(2026, 2, 27), date(2026, 3, 5)), granularity, TODAY) == expected

    @pytest.mark.parametrize("granularity", ["day", "week", "month"])
    def test_points_follow_one_another_without_gaps(self, granularity: Granularity) -> None:
        for offset in range(0, 800, 37):
            start = TODAY - timedelta(days=offset)
            window = widened(Window(start, min(start + timedelta(days=3 * offset), TODAY)), granularity, TODAY)
            points = list(points_of(window, granularity))
            assert (points[0].start, points[-1].end) == window
            for one, following in pairwise(points):
                assert following.start == one.end + timedelta(days=1)
            for point in points:
                assert granularity != "week" or point.start.weekday() == 0
                assert granularity != "month" or point.start.day == 1
                assert granularity != "day" or point.start == point.end

    def test_the_one_under_way_ends_today(self) -> None:
        window = widened(Window(date(2026, 1, 15), TODAY), "month", TODAY)
        assert [point.end for point in points_of(window, "month")] == [date(2026, 1, 31), date(2026, 2, 28), TODAY]
