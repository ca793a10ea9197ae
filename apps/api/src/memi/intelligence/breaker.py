"""Leaving a plug-in alone that failed so many times in a row. Each process decides for itself, by its own clock."""

from time import monotonic


class Breaker:
    """Closed: everybody asks. Open: nobody, for a while; then one asks, and what comes of that decides."""

    def __init__(self, failures: int, pause: float) -> None:
        self._limit = failures
        self._pause = pause
        self._failures = 0
        self._open_until: float | None = None
        self._probing = False

    @property
    def is_open(self) -> bool:
        return self._open_until is not None

    def admits(self) -> bool:
        """Whether to ask now; whoever is let in tells how it went."""
        if self._open_until is None:
            return True
        if self._probing or monotonic() < self._open_until:
            return False
        self._probing = True
        return True

    def succeeded(self) -> None:
        self._failures = 0
        self._open_until = None
        self._probing = False

    def failed(self) -> bool:
        """Whether it opened, or stays open, by this."""
        self._probing = False
        self._failures += 1
        if self._failures < self._limit:
            return False
        self._open_until = monotonic() + self._pause
        return True

    def unanswered(self) -> None:
        """Nobody learned anything: it was not asked after all, or who asked has gone."""
        self._probing = False
