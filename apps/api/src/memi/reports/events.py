"""What happens to reports, for the features above."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class ReportsResolved:
    """A moderator decided; the affected person and everybody whose report it settled are to hear of it."""

    decision_id: UUID


@dataclass(frozen=True)
class AppealDecided:
    """An appeal was decided, and what it overturned is undone."""

    appeal_id: UUID
