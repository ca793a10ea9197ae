"""What somebody who is blocked, and so cannot sign in, may still do: read why, and appeal."""

from sqlalchemy.ext.asyncio import AsyncSession

from memi.auth import appeal_tickets
from memi.platform.errors import NotFound
from memi.reports import appeals, queries
from memi.reports.queries import Seen
from memi.reports.schemas import AppealRequest, BlockedAppeal, BlockRead, OwnAppeal
from memi.users import service as users


async def why(session: AsyncSession, token: str) -> BlockRead:
    """The decision that blocked them; raises `InvalidAppealToken`, `NotFound` when nobody decided it."""
    seen = await _block_of(session, token)
    decision = seen.decision
    assert decision is not None
    return BlockRead(
        report_id=seen.report.id,
        statement=decision.statement,
        decided_at=decision.decided_at,
        appeal_until=decision.decided_at + appeals.WITHIN,
        appeal_status=seen.appeal_status,  # pyright: ignore[reportArgumentType]  # what the table's constraint allows
    )


async def appeal(session: AsyncSession, data: BlockedAppeal) -> OwnAppeal:
    """As `appeals.appeal`, of the decision that blocked them; raises the same, and `InvalidAppealToken`."""
    seen = await _block_of(session, data.appeal_token)
    return await appeals.appeal(session, seen.report.subject_id, seen.report.id, AppealRequest(text=data.text))


async def _block_of(session: AsyncSession, token: str) -> Seen:
    user_id = await appeal_tickets.read(session, token)
    user = await users.get(session, user_id)
    report_id = await queries.latest_block(session, user_id)
    seen = None if report_id is None or not user.is_blocked else await queries.seen(session, report_id)
    if seen is None:
        raise NotFound
    return seen
