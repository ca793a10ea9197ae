"""HTTP: report something, see what came of it, appeal."""

from uuid import UUID

from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from memi.auth.errors import InvalidAppealToken
from memi.platform.cursors import Page
from memi.platform.dependencies import QUERY_MODEL, App, Caller, Session, query_of
from memi.platform.errors import InvalidCursor, NotAuthenticated, NotFound, ValidationFailed
from memi.platform.impersonation import IMPERSONATION, OpenTo
from memi.platform.limits import Limit, limited
from memi.platform.problems import problems
from memi.reports import appeals, blocked, service
from memi.reports.errors import AlreadyAppealed, AppealTooLate, NotYoursToAppeal, OwnThing, ReportExists
from memi.reports.schemas import (
    AppealRequest,
    BlockedAppeal,
    BlockedPerson,
    BlockRead,
    OwnAppeal,
    PageQuery,
    ReportRead,
    ReportRequest,
)


@post(
    "/reports",
    guards=[limited(Limit.REPORT)],
    responses=problems(NotAuthenticated, NotFound, OwnThing, ReportExists, ValidationFailed),
)
async def report_something(caller: Caller, session: Session, data: JSONBody[ReportRequest]) -> ReportRead:
    """Tell moderators of a listing, a person, a chat of yours or a message in one. How it looks now is kept."""
    return await service.report(session, caller.user_id, data)


@get(
    "/reports",
    dependencies={"asked": query_of(PageQuery)},
    opt={QUERY_MODEL: PageQuery, IMPERSONATION: OpenTo.ALL},
    responses=problems(NotAuthenticated, InvalidCursor, ValidationFailed),
)
async def list_own_reports(
    caller: Caller, app: App, session: Session, asked: NamedDependency[PageQuery]
) -> Page[ReportRead]:
    """What you reported, newest first, and whether something was done."""
    return await service.own(session, app.cursors, caller.user_id, asked)


@post(
    "/reports/{report_id:uuid}/appeal",
    guards=[limited(Limit.REPORT)],
    responses=problems(NotAuthenticated, NotFound, NotYoursToAppeal, AlreadyAppealed, AppealTooLate, ValidationFailed),
)
async def appeal(
    report_id: FromPath[UUID], caller: Caller, session: Session, data: JSONBody[AppealRequest]
) -> OwnAppeal:
    """Have another moderator look at a decision about you: once, within 30 days."""
    return await appeals.appeal(session, caller.user_id, report_id, data)


@post(
    "/reports/block",
    status_code=200,
    guards=[limited(Limit.REPORT)],
    responses=problems(InvalidAppealToken, NotFound, ValidationFailed),
)
async def read_block(session: Session, data: JSONBody[BlockedPerson]) -> BlockRead:
    """Why you were blocked, for those who cannot sign in; 404 when no report led to it."""
    return await blocked.why(session, data.appeal_token)


@post(
    "/reports/block/appeal",
    guards=[limited(Limit.REPORT)],
    responses=problems(InvalidAppealToken, NotFound, AlreadyAppealed, AppealTooLate, ValidationFailed),
)
async def appeal_block(session: Session, data: JSONBody[BlockedAppeal]) -> OwnAppeal:
    """Have another moderator look at a block, without signing in: once, within 30 days."""
    return await blocked.appeal(session, data)


router = Router(
    "",
    route_handlers=[report_something, list_own_reports, appeal, read_block, appeal_block],
    tags=["reports"],
)
