"""The append-only record of what staff did: written in the transaction of the deed, read by admin."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from memi.audit import queries
from memi.audit.models import AuditEntry
from memi.audit.schemas import AuditFilter
from memi.platform.logging import redacted
from memi.platform.paging import Found, Place
from memi.platform.principal import Principal


async def record(
    session: AsyncSession,
    caller: Principal | None,
    action: str,
    target_type: str,
    target_id: UUID | str,
    *,
    reason: str | None = None,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> UUID:
    """Write that `caller` did `action` ("listing.remove"); it lasts if and only if this unit of work does.

    None did what nobody did: what time ended. Who acts in somebody's place is named beside them. `before` and `after`
    hold what changed, as JSON can say it; values whose name says they are secret are left out. Returns the entry's id.
    """
    entry = AuditEntry(
        actor_id=None if caller is None else caller.user_id,
        impersonator_id=None if caller is None else caller.impersonator_id,
        action=action,
        target_type=target_type,
        target_id=str(target_id),
        reason=reason,
        before=_plain(before),
        after=_plain(after),
    )
    session.add(entry)
    await session.flush()
    return entry.id


async def find(
    session: AsyncSession, wanted: AuditFilter, *, before: tuple[datetime, UUID] | None, limit: int
) -> list[AuditEntry]:
    """The newest entries that fit, below `before` (time and id of the last one seen)."""
    return list(await queries.find(session, wanted, before, limit))


async def page(session: AsyncSession, wanted: AuditFilter, place: Place) -> Found[AuditEntry]:
    """A page of the entries that fit, newest first."""
    return await queries.page(session, wanted, place)


def _plain(values: Mapping[str, object] | None) -> dict[str, Any] | None:
    """As JSON says it, before names are looked at: a struct or a set may hold secrets too."""
    return None if values is None else redacted(msgspec.to_builtins(values, str_keys=True))
