"""How the service misbehaves, as it is told."""

import asyncio

import msgspec


class Knobs(msgspec.Struct, forbid_unknown_fields=True):
    """All off. Numbers count down to 0 as they are used up."""

    slow_seconds: float = 0.0
    """Each call takes this much longer."""
    hang: bool = False
    """Calls are not answered for as long as this is set."""
    fail: int = 0
    """This many calls are answered 500, with nothing done."""
    lose: int = 0
    """This many calls are done, and answered 500 all the same."""
    duplicate: int = 0
    """Each event is delivered this many times more."""
    reorder: bool = False
    """Of the events that wait the newest is delivered first."""
    drop: int = 0
    """This many deliveries get lost on the way; they are tried again."""
    paused: bool = False
    """Events wait."""
    webhook_url: str | None = None
    """Where events go, if not where the service was told at its start."""

    def use(self, name: str) -> bool:
        """Whether a countdown is on, taking one off it."""
        left = getattr(self, name)
        if left > 0:
            setattr(self, name, left - 1)
        return left > 0

    async def hold_up(self) -> None:
        await asyncio.sleep(self.slow_seconds)
        while self.hang:  # noqa: ASYNC110  # looking now and then is good enough here
            await asyncio.sleep(0.05)
