"""The queue of reports: who looks at what, one moderator at a time."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.audit import service as audit
from memi.chat import moderation as chats
from memi.chat.schemas import MessagePage
from memi.platform.cursors import CursorSigner
from memi.platform.errors import NotFound
from memi.platform.paging import Listed, listed, place_of
from memi.platform.principal import Principal
from memi.reports import queries, targets, views
from memi.reports.errors import NotClaimed, NotImpartial, ReportClaimed, ReportIsResolved
from memi.reports.models import Report
from memi.reports.schemas import LookQuery, QueuedReport, QueueQuery, StaffReport


async def queue(session: AsyncSession, cursors: CursorSigner, asked: QueueQuery) -> Listed[QueuedReport]:
    """Oldest first; raises `InvalidCursor`, `PageTooDeep`, `ValidationFailed`."""
    place = place_of(cursors, f"admin.reports:{asked.status}:{asked.target_type}", asked, (UUID,))
    found = await queries.queue(session, asked.status, asked.target_type, place)
    return listed(cursors, place, found, await views.queued(session, found.rows), lambda item: (item.id,))


async def read(session: AsyncSession, report_id: UUID) -> StaffReport:
    """One report with its target, then and now; raises `NotFound`."""
    found = await queries.seen(session, report_id)
    if found is None:
        raise NotFound
    return await views.for_staff(session, found)


async def claim(session: AsyncSession, caller: Principal, report_id: UUID) -> StaffReport:
    """Work on a report for thirty minutes; claiming one's own again begins them anew.

    Raises `NotFound`, `NotImpartial`, `ReportIsResolved`, `ReportClaimed`.
    """
    found = await queries.lock(session, report_id)
    if found is None:
        raise NotFound
    report, is_claimed = found
    if caller.user_id in (report.reporter_id, report.subject_id):
        raise NotImpartial
    if report.decision_id is not None:
        raise ReportIsResolved
    if is_claimed and report.claimed_by != caller.user_id:
        raise ReportClaimed(report.claimed_until)
    await queries.claim(session, report_id, caller.user_id)
    if not is_claimed:
        await audit.record(session, caller, "report.claim", "REPORT", report_id)
    return await read(session, report_id)


async def require_claim(session: AsyncSession, caller: Principal, report: Report) -> None:
    """Raises `ReportIsResolved`, or `NotClaimed` when the caller's claim is none or has lapsed."""
    if report.decision_id is not None:
        raise ReportIsResolved
    if report.claimed_by != caller.user_id or not await queries.is_claimed(session, report.id):
        raise NotClaimed


async def look(session: AsyncSession, caller: Principal, report_id: UUID, asked: LookQuery) -> MessagePage:
    """Read the reported chat, which the audit log keeps.

    Raises `NotFound` also for a report of something else, `ReportIsResolved`, `NotClaimed`.
    """
    found = await queries.lock(session, report_id)
    if found is None:
        raise NotFound
    report, _ = found
    chat_id = targets.readable(report)
    await require_claim(session, caller, report)
    page = await chats.messages(session, chat_id, asked.before_seq, asked.limit)
    seen = {"report_id": report_id, "from_seq": None, "to_seq": None}
    if page.items:
        seen |= {"from_seq": page.items[-1].seq, "to_seq": page.items[0].seq}
    await audit.record(session, caller, "chat.look", "CHAT", chat_id, after=seen)
    return page
