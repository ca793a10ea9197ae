"""Reports for those who make them: what may be reported, and what became of it."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.cursors import CursorSigner, Page
from memi.platform.errors import ValidationFailed
from memi.reports import queries, targets, views
from memi.reports.errors import ReportExists
from memi.reports.schemas import PageQuery, ReportRead, ReportRequest


async def report(session: AsyncSession, reporter_id: UUID, data: ReportRequest) -> ReportRead:
    """Tell moderators of something; raises `NotFound`, `OwnThing`, `ReportExists`, `ValidationFailed`."""
    if data.reason == "OTHER" and data.details is None:
        raise ValidationFailed.of("/details", "required", "Say what is wrong.")
    target = await targets.find(session, data.target_type, data.target_id, reporter_id)
    report_id = await queries.add(
        session,
        {
            "reporter_id": reporter_id,
            "subject_id": target.subject_id,
            "target_type": data.target_type,
            "target_id": data.target_id,
            "listing_id": target.listing_id,
            "chat_id": target.chat_id,
            "message_id": target.message_id,
            "reason": data.reason,
            "details": data.details,
            "snapshot": target.snapshot,
        },
    )
    if report_id is None:
        present = await queries.open_of(session, reporter_id, data.target_type, data.target_id)
        raise ReportExists(present or data.target_id)
    made = await queries.seen(session, report_id)
    assert made is not None
    return views.own(made)


async def own(session: AsyncSession, cursors: CursorSigner, reporter_id: UUID, asked: PageQuery) -> Page[ReportRead]:
    """What a person reported, newest first; raises `InvalidCursor`."""
    scope = f"reports:{reporter_id}"
    before: Any = cursors.decode(scope, asked.cursor, (UUID,))[0] if asked.cursor else None
    found = await queries.own(session, reporter_id, before, asked.limit + 1)
    items = [views.own(item) for item in found[: asked.limit]]
    return Page(items, cursors.encode(scope, items[-1].id) if len(found) > asked.limit else None)
