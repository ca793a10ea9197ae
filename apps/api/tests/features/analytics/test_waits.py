"""Medians out of numbers of cases per span."""

import random
from bisect import bisect_right
from itertools import pairwise

import pytest

from memi.analytics.waits import BOUNDS, median, total


def histogram(seconds: list[float]) -> list[int]:
    found = [0] * (len(BOUNDS) + 1)
    for item in seconds:
        found[bisect_right(BOUNDS, item)] += 1
    return found


def test_spans_grow_by_nine_percent_from_a_minute_to_half_a_year() -> None:
    assert BOUNDS[0] == 60
    assert BOUNDS[-1] > 180 * 86_400
    assert all(1.09 < later / sooner < 1.091 for sooner, later in pairwise(BOUNDS))


@pytest.mark.parametrize("seed", range(40))
def test_the_median_lies_in_the_span_of_the_exact_one(seed: int) -> None:
    chance = random.Random(seed)
    waits = sorted(chance.lognormvariate(chance.uniform(3, 14), 2) for _ in range(chance.randint(1, 300)))
    exact = waits[(len(waits) - 1) // 2]
    place = bisect_right(BOUNDS, exact)
    told = median(histogram(waits))
    assert told is not None
    low, high = BOUNDS[place - 1] if place else 0, BOUNDS[min(place, len(BOUNDS) - 1)]
    assert low <= told <= high
    assert place == 0 or place == len(BOUNDS) or abs(told / exact - 1) < 0.095


def test_without_cases_there_is_none() -> None:
    assert median(histogram([])) is None
    assert median([]) is None


def test_what_took_longer_than_the_last_bound_counts_as_that_long() -> None:
    assert median(histogram([10.0**9] * 3)) == BOUNDS[-1]


def test_days_add_up() -> None:
    chance = random.Random(7)
    days = [[chance.expovariate(1 / 90_000) for _ in range(chance.randint(0, 30))] for _ in range(20)]
    together = [wait for day in days for wait in day]
    assert total(histogram(day) for day in days) == histogram(together)
    assert total([]) == histogram([])
