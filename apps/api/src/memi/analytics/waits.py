"""How long things took, kept as numbers of cases per span, so that days add up and a median can still be told."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate

BOUNDS: tuple[float, ...] = tuple(60.0 * 2 ** (step / 8) for step in range(145))
"""Seconds at which one span ends and the next begins: from a minute to half a year, each 9 % longer than the last."""


def total(histograms: Iterable[Sequence[int]]) -> list[int]:
    """The cases of several histograms together."""
    nothing = [0] * (len(BOUNDS) + 1)
    return [sum(cases) for cases in zip(nothing, *histograms, strict=True)]


def median(histogram: Sequence[int]) -> float | None:
    """Seconds that half of the cases took at most, within 9 % of the exact figure; None without cases.

    Cases are taken to lie evenly in their span. What took longer than the last bound counts as that long.
    """
    ends = list(accumulate(histogram))
    if not ends or not ends[-1]:
        return None
    middle = ends[-1] / 2
    span = bisect_left(ends, middle)
    if span == len(BOUNDS):
        return BOUNDS[-1]
    low = BOUNDS[span - 1] if span else 0.0
    within = (middle - (ends[span] - histogram[span])) / histogram[span]
    return low + (BOUNDS[span] - low) * within
