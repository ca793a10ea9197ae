"""What the audit log can be asked."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class AuditFilter:
    """Each that is given must fit."""

    actor: UUID | None = None
    action: str | None = None
    target_type: str | None = None
    target_id: str | None = None
    impersonator: UUID | None = None
    by_themselves: bool = False
    """Only what nobody did in somebody else's place."""
