"""Counting calls by a sliding window: in this process, within bounded memory."""

import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

from limits import RateLimitItem
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

KEPT = 50_000
"""Windows remembered at once, of about 400 bytes each; beyond that the one asked for longest ago is forgotten."""
Window = tuple[int, float, int, float]
"""(count of the window before, seconds it still weighs, count of this one, seconds until it weighs nothing)."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a caller stands with one limit after this call; times in seconds."""

    allowed: bool
    remaining: int
    reset: float
    """Until the next call is allowed when none remains, else until this window ends."""


class Counter(Protocol):
    async def take(self, item: RateLimitItem, key: str) -> Standing:
        """Count one call, unless that would exceed the limit."""
        ...


class BoundedMemory(MemoryStorage):
    """Sliding windows in an ordered dictionary.

    The library's own memory looks at every key again and again to find those that expired, and has no bound; here the
    one asked for longest ago makes room, so a call costs the same however many there are.
    """

    def __init__(self, kept: int = KEPT) -> None:
        super().__init__()
        self._kept = kept
        self._windows: OrderedDict[str, list[int]] = OrderedDict()

    async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        window, elapsed = self._window(key, expiry)
        if math.floor(window[1] * (1 - elapsed)) + window[2] + amount > limit:
            return False
        window[2] += amount
        return True

    async def get_sliding_window(self, key: str, expiry: int) -> Window:
        window, elapsed = self._window(key, expiry)
        left = (1 - elapsed) * expiry
        return window[1], left, window[2], left + expiry

    async def clear_sliding_window(self, key: str, expiry: int) -> None:
        self._windows.pop(key, None)

    async def reset(self) -> int | None:
        number = len(self._windows)
        self._windows.clear()
        return number

    def __len__(self) -> int:
        return len(self._windows)

    def _window(self, key: str, expiry: int) -> tuple[list[int], float]:
        """([its number, the count before, the count in it], the part of it that is over)."""
        number, elapsed = divmod(time.time() / expiry, 1)
        number = int(number)
        window = self._windows.get(key)
        if window is None:
            if len(self._windows) >= self._kept:
                self._windows.popitem(last=False)
            window = self._windows[key] = [number, 0, 0]
            return window, elapsed
        self._windows.move_to_end(key)
        if window[0] != number:
            window[:] = [number, window[2] if window[0] == number - 1 else 0, 0]
        return window, elapsed


class LocalCounter:
    """Counts what this process sees."""

    def __init__(self, kept: int = KEPT) -> None:
        self.storage = BoundedMemory(kept)
        self._limiter = SlidingWindowCounterRateLimiter(self.storage)

    async def take(self, item: RateLimitItem, key: str) -> Standing:
        allowed = await self._limiter.hit(item, key)
        window = await self.storage.get_sliding_window(item.key_for(key), item.get_expiry())
        return standing(allowed, item.amount, item.get_expiry(), window)


def standing(allowed: bool, limit: int, seconds: int, window: Window) -> Standing:
    """What a window means for who is counted in it."""
    before, weighs, count, gone_in = window
    remaining = max(0, limit - count - math.floor(before * weighs / seconds)) if allowed else 0
    ends_in = max(0.0, gone_in - seconds)
    if remaining:
        return Standing(allowed, remaining, ends_in)
    if count < limit:
        # Room comes as the window before weighs less and less; below the whole number, as counts are rounded down.
        wait = weighs - (limit - count) * seconds / max(before, 1)
    else:
        wait = ends_in + seconds - limit * seconds / count
    return Standing(allowed, remaining, max(0.0, wait))
