"""Identifiers: UUIDv7, so that keys sort by creation time and indexes stay compact."""

from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A new time-ordered identifier."""
    return uuid7()


def floor_of(moment: datetime) -> UUID:
    """Not above any identifier made at `moment` or later, by a clock that agrees with this one."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)
