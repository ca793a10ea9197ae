"""HTTP for moderators: the queue, decisions, appeals, and what is known of a person's conduct."""

from uuid import UUID

from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from memi.chat.schemas import MessagePage
from memi.listings.errors import IllegalTransition
from memi.platform.dependencies import QUERY_MODEL, App, Caller, Session, query_of, requires
from memi.platform.errors import (
    AppError,
    InvalidCursor,
    NotAuthenticated,
    NotFound,
    PermissionDenied,
    StepUpRequired,
    ValidationFailed,
)
from memi.platform.paging import Listed, PageTooDeep
from memi.platform.permissions import Permission
from memi.platform.problems import problems
from memi.reports import appeals, deciding, history, triage
from memi.reports.errors import (
    ActionDoesNotFit,
    AlreadyBlocked,
    AppealIsDecided,
    ChatIsClosed,
    NotClaimed,
    NotImpartial,
    ReportClaimed,
    ReportIsResolved,
    SameModerator,
    StaffProtected,
    TargetGone,
)
from memi.reports.schemas import (
    AppealDecision,
    AppealQuery,
    AppealRead,
    DecidedAppeal,
    LookQuery,
    QueuedReport,
    QueueQuery,
    ResolveRequest,
    StaffReport,
    UserModeration,
)

_GUARDS = [requires(Permission.REPORTS_HANDLE)]
_STAFF: tuple[type[AppError], ...] = (NotAuthenticated, PermissionDenied)
_ONE = (*_STAFF, NotFound)
_COLLECTION = problems(*_STAFF, InvalidCursor, PageTooDeep, ValidationFailed)


@get(
    "/admin/reports",
    guards=_GUARDS,
    dependencies={"asked": query_of(QueueQuery)},
    opt={QUERY_MODEL: QueueQuery},
    responses=_COLLECTION,
)
async def report_queue(asked: NamedDependency[QueueQuery], app: App, session: Session) -> Listed[QueuedReport]:
    """Reports, oldest first, with how often the target was reported and what its owner did before."""
    return await triage.queue(session, app.cursors, asked)


@get("/admin/reports/{report_id:uuid}", guards=_GUARDS, responses=problems(*_ONE))
async def read_report(report_id: FromPath[UUID], session: Session) -> StaffReport:
    """One report, with its target as it was reported and as it is now. Messages need a claim."""
    return await triage.read(session, report_id)


@post(
    "/admin/reports/{report_id:uuid}/claim",
    status_code=200,
    guards=_GUARDS,
    responses=problems(*_ONE, NotImpartial, ReportClaimed, ReportIsResolved),
)
async def claim_report(report_id: FromPath[UUID], caller: Caller, session: Session) -> StaffReport:
    """Work on a report: for 30 minutes nobody else can. Claim it again to go on."""
    return await triage.claim(session, caller, report_id)


@get(
    "/admin/reports/{report_id:uuid}/messages",
    guards=_GUARDS,
    dependencies={"asked": query_of(LookQuery)},
    opt={QUERY_MODEL: LookQuery},
    responses=problems(*_ONE, NotClaimed, ReportIsResolved, ValidationFailed),
)
async def look_at_chat(
    report_id: FromPath[UUID], asked: NamedDependency[LookQuery], caller: Caller, session: Session
) -> MessagePage:
    """Messages of a reported chat, newest first, while you have claimed the report. Each look is audited."""
    return await triage.look(session, caller, report_id, asked)


@post(
    "/admin/reports/{report_id:uuid}/resolve",
    status_code=200,
    guards=_GUARDS,
    responses=problems(
        *_ONE,
        StepUpRequired,
        NotImpartial,
        NotClaimed,
        ReportIsResolved,
        ActionDoesNotFit,
        IllegalTransition,
        TargetGone,
        AlreadyBlocked,
        StaffProtected,
        ChatIsClosed,
        ValidationFailed,
    ),
)
async def resolve_report(
    report_id: FromPath[UUID], caller: Caller, session: Session, data: JSONBody[ResolveRequest]
) -> StaffReport:
    """Decide about a report that you have claimed, and do it. Whom it affects reads the statement and may appeal."""
    return await deciding.resolve(session, caller, report_id, data)


@get("/admin/users/{user_id:uuid}/moderation", guards=_GUARDS, responses=problems(*_ONE))
async def read_user_moderation(user_id: FromPath[UUID], session: Session) -> UserModeration:
    """Reports by and against a person, what was decided, and how often that was overturned."""
    return await history.of_user(session, user_id)


@get(
    "/admin/appeals",
    guards=_GUARDS,
    dependencies={"asked": query_of(AppealQuery)},
    opt={QUERY_MODEL: AppealQuery},
    responses=_COLLECTION,
)
async def appeal_queue(asked: NamedDependency[AppealQuery], app: App, session: Session) -> Listed[AppealRead]:
    """Appeals, oldest first; by default those that wait."""
    return await appeals.queue(session, app.cursors, asked)


@post(
    "/admin/appeals/{appeal_id:uuid}/decide",
    status_code=200,
    guards=_GUARDS,
    responses=problems(*_ONE, StepUpRequired, SameModerator, NotImpartial, AppealIsDecided, ValidationFailed),
)
async def decide_appeal(
    appeal_id: FromPath[UUID], caller: Caller, session: Session, data: JSONBody[AppealDecision]
) -> DecidedAppeal:
    """Uphold or overturn a colleague's decision. What is overturned is undone, if nothing else has changed it since."""
    return await appeals.decide(session, caller, appeal_id, data)


router = Router(
    "",
    route_handlers=[
        report_queue,
        read_report,
        claim_report,
        look_at_chat,
        resolve_report,
        read_user_moderation,
        appeal_queue,
        decide_appeal,
    ],
    tags=["moderation"],
)
