"""Time in this process, always aware and UTC. Deadlines that matter are decided by the database's clock instead."""

from datetime import UTC, datetime


def now() -> datetime:
    """The current time, UTC."""
    return datetime.now(UTC)
