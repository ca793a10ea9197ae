"""What would it sell for? About what the others cost."""

from collections.abc import Sequence
from statistics import median

from memi.intelligence.ports import Comparable, PriceAdvice, PriceQuestion

FEWEST = 3
"""Fewer others than this say nothing."""


class MedianPriceAdviser:
    """The middle of the prices of comparable listings, with the middle half around it."""

    def advise(self, question: PriceQuestion) -> PriceAdvice | None:
        others = self._alike(question)
        if len(others) < FEWEST:
            return None
        prices = sorted(other.price for other in others)
        quarter = len(prices) // 4
        return PriceAdvice(
            low=prices[quarter],
            typical=round(median(prices)),
            high=prices[-1 - quarter],
            based_on=len(prices),
        )

    def _alike(self, question: PriceQuestion) -> Sequence[Comparable]:
        """Those in the same condition if there are enough of them, else all."""
        same = [other for other in question.comparables if other.condition == question.item.condition]
        return same if len(same) >= FEWEST else question.comparables
