"""What happens to how people are signed in, for the features above."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True)
class ImpersonationBegan:
    """A member of staff acts in a person's place, until `expires_at` at the latest."""

    impersonation_id: UUID
    user_id: UUID
    at: datetime
    expires_at: datetime
