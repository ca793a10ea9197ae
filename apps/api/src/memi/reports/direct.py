"""What staff do without having been told by anybody: a decision all the same, with its statement and one appeal."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.errors import NotFound
from memi.platform.events import publish
from memi.platform.principal import Principal
from memi.reports import queries, targets
from memi.reports.events import ReportsResolved
from memi.reports.models import STAFF, Decision, Report
from memi.users.models import User


async def removal(session: AsyncSession, caller: Principal, listing_id: UUID, statement: str) -> dict[str, Any]:
    """Decide that a listing goes, before it is locked: whoever blocks its seller locks the account first.

    What it returns belongs into the audit entry of the deed, by which an appeal finds whether it still stands.
    Raises `NotFound`.
    """
    seen = await targets.listing(session, listing_id)
    if seen is None:
        raise NotFound
    return await _decide(session, caller, "REMOVE_LISTING", statement, "LISTING", listing_id, seen)


async def block(session: AsyncSession, caller: Principal, user: User, statement: str) -> dict[str, Any]:
    """Decide that an account, which the caller has locked, is blocked; returns as `removal` does."""
    seen = targets.Target(user.id, targets.account(user))
    return await _decide(session, caller, "BLOCK_USER", statement, "USER", user.id, seen)


async def _decide(  # noqa: PLR0917  # who, what, why, about what
    session: AsyncSession,
    caller: Principal,
    action: str,
    statement: str,
    kind: str,
    target_id: UUID,
    seen: targets.Target,
) -> dict[str, Any]:
    if seen.subject_id == caller.user_id:
        return {}  # nobody explains to themselves, or appeals against, what they do with their own
    decision = Decision(subject_id=seen.subject_id, action=action, statement=statement, decided_by=caller.user_id)
    session.add(decision)
    await session.flush()
    # Their own word about it: an appeal, and who looks at it, finds there what it was about and how it looked.
    session.add(
        Report(
            reporter_id=caller.user_id,
            subject_id=seen.subject_id,
            target_type=kind,
            target_id=target_id,
            listing_id=seen.listing_id,
            reason=STAFF,
            snapshot=seen.snapshot,
            status="RESOLVED",
            decision_id=decision.id,
        )
    )
    await session.flush()
    settled = await queries.settle_alike(session, decision, kind, target_id)
    publish(session, ReportsResolved(decision.id))
    return {"decision_id": decision.id} | ({"settled": sorted(map(str, settled))} if settled else {})
