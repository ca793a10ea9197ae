"""HTTP for staff: moderation of listings and people, the audit log, dead jobs."""

from uuid import UUID

from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from memi.admin import service, views
from memi.admin.errors import AlreadyBlocked, CannotBlockSelf, NotBlocked, StaffProtected
from memi.admin.paging import page_of, position
from memi.admin.schemas import (
    AccountRead,
    AuditEntryRead,
    AuditQuery,
    DeadJobRead,
    ListingQuery,
    ModeratedListing,
    OptionalReason,
    PageQuery,
    Reason,
    UserQuery,
)
from memi.audit import service as audit
from memi.audit.schemas import AuditFilter
from memi.listings import moderation
from memi.listings.errors import IllegalTransition
from memi.listings.schemas import ListingRead
from memi.platform import job_queue
from memi.platform.cursors import Page
from memi.platform.dependencies import QUERY_MODEL, App, Caller, IfMatch, Session, query_of, recently_proved, requires
from memi.platform.errors import (
    AppError,
    InvalidCursor,
    NotAuthenticated,
    NotFound,
    PermissionDenied,
    StaleVersion,
    StepUpRequired,
    ValidationFailed,
)
from memi.platform.permissions import Permission
from memi.platform.problems import problems
from memi.users import service as users

_STAFF: tuple[type[AppError], ...] = (NotAuthenticated, PermissionDenied)
_DEED = (*_STAFF, NotFound, ValidationFailed)
_COLLECTION = problems(*_STAFF, InvalidCursor, ValidationFailed)


@get(
    "/admin/listings",
    guards=[requires(Permission.LISTINGS_MODERATE)],
    dependencies={"asked": query_of(ListingQuery)},
    opt={QUERY_MODEL: ListingQuery},
    responses=_COLLECTION,
)
async def find_listings(asked: NamedDependency[ListingQuery], app: App, session: Session) -> Page[ModeratedListing]:
    """Every listing in any status, newest first, with its flags."""
    before = position(app, "admin.listings", asked)
    found = await moderation.find(
        session,
        status=asked.status,
        seller_id=asked.seller,
        flag=asked.flag,
        before=None if before is None else before[1],
        limit=asked.limit + 1,
    )
    return page_of(
        app, "admin.listings", asked, await views.moderated(session, found), lambda item: (item.created_at, item.id)
    )


@post(
    "/admin/listings/{listing_id:uuid}/remove",
    status_code=200,
    guards=[requires(Permission.LISTINGS_MODERATE)],
    responses=problems(*_DEED, IllegalTransition, StaleVersion),
)
async def remove_listing(
    listing_id: FromPath[UUID], data: JSONBody[Reason], caller: Caller, session: Session, if_match: IfMatch
) -> ListingRead:
    """Take a listing down. Its owner sees it as REMOVED; to everyone else it is not there."""
    return await service.remove_listing(session, caller, listing_id, data.reason, if_match)


@post(
    "/admin/listings/{listing_id:uuid}/restore",
    status_code=200,
    guards=[requires(Permission.LISTINGS_MODERATE)],
    responses=problems(*_DEED, IllegalTransition, StaleVersion),
)
async def restore_listing(
    listing_id: FromPath[UUID], data: JSONBody[OptionalReason], caller: Caller, session: Session, if_match: IfMatch
) -> ListingRead:
    """Put a removed listing back to the status it had."""
    return await service.restore_listing(session, caller, listing_id, data.reason, if_match)


@get(
    "/admin/users",
    guards=[requires(Permission.USERS_READ)],
    dependencies={"asked": query_of(UserQuery)},
    opt={QUERY_MODEL: UserQuery},
    responses=_COLLECTION,
)
async def find_users(asked: NamedDependency[UserQuery], app: App, session: Session) -> Page[AccountRead]:
    """Accounts, blocked and deleted ones too, newest first."""
    before = position(app, "admin.users", asked)
    found = await users.search(session, asked.q, before=None if before is None else before[1], limit=asked.limit + 1)
    return page_of(
        app, "admin.users", asked, [views.account(user) for user in found], lambda item: (item.created_at, item.id)
    )


@get("/admin/users/{user_id:uuid}", guards=[requires(Permission.USERS_READ)], responses=problems(*_STAFF, NotFound))
async def read_user(user_id: FromPath[UUID], session: Session) -> AccountRead:
    """One account, blocked and deleted ones too."""
    found = await users.get_many(session, [user_id])
    if user_id not in found:
        raise NotFound
    return views.account(found[user_id])


@post(
    "/admin/users/{user_id:uuid}/block",
    status_code=200,
    guards=[requires(Permission.USERS_BLOCK), recently_proved],
    responses=problems(*_DEED, StepUpRequired, CannotBlockSelf, StaffProtected, AlreadyBlocked),
)
async def block_user(user_id: FromPath[UUID], data: JSONBody[Reason], caller: Caller, session: Session) -> AccountRead:
    """Block an account: its sessions and sockets end at once and its listings are hidden."""
    return views.account(await service.block_user(session, caller, user_id, data.reason))


@post(
    "/admin/users/{user_id:uuid}/unblock",
    status_code=200,
    guards=[requires(Permission.USERS_BLOCK), recently_proved],
    responses=problems(*_DEED, StepUpRequired, StaffProtected, NotBlocked),
)
async def unblock_user(
    user_id: FromPath[UUID], data: JSONBody[Reason], caller: Caller, session: Session
) -> AccountRead:
    """Let an account act again. It signs in anew: the sessions that the block ended stay ended."""
    return views.account(await service.unblock_user(session, caller, user_id, data.reason))


@get(
    "/admin/audit",
    guards=[requires(Permission.AUDIT_READ)],
    dependencies={"asked": query_of(AuditQuery)},
    opt={QUERY_MODEL: AuditQuery},
    responses=_COLLECTION,
)
async def read_audit(asked: NamedDependency[AuditQuery], app: App, session: Session) -> Page[AuditEntryRead]:
    """What staff did, newest first."""
    wanted = AuditFilter(asked.actor, asked.action, asked.target_type, asked.target_id)
    before = position(app, "admin.audit", asked)
    found = await audit.find(session, wanted, before=before, limit=asked.limit + 1)
    return page_of(
        app, "admin.audit", asked, [views.audit_entry(entry) for entry in found], lambda item: (item.at, item.id)
    )


@get(
    "/admin/jobs/dead",
    guards=[requires(Permission.JOBS_MANAGE)],
    dependencies={"asked": query_of(PageQuery)},
    opt={QUERY_MODEL: PageQuery},
    responses=_COLLECTION,
)
async def find_dead_jobs(asked: NamedDependency[PageQuery], app: App, session: Session) -> Page[DeadJobRead]:
    """Jobs that failed as often as they may, newest first."""
    before = position(app, "admin.jobs.dead", asked)
    found = await job_queue.dead_jobs(session, before, asked.limit + 1)
    return page_of(
        app, "admin.jobs.dead", asked, [views.dead_job(job) for job in found], lambda item: (item.died_at, item.id)
    )


@post(
    "/admin/jobs/dead/{job_id:uuid}/retry",
    status_code=200,
    guards=[requires(Permission.JOBS_MANAGE)],
    responses=problems(*_STAFF, NotFound),
)
async def retry_dead_job(job_id: FromPath[UUID], caller: Caller, session: Session) -> DeadJobRead:
    """Queue it again, its attempts counted afresh."""
    return views.dead_job(await service.retry_job(session, caller, job_id))


@post(
    "/admin/jobs/dead/{job_id:uuid}/discard",
    status_code=200,
    guards=[requires(Permission.JOBS_MANAGE), recently_proved],
    responses=problems(*_STAFF, StepUpRequired, NotFound),
)
async def discard_dead_job(job_id: FromPath[UUID], caller: Caller, session: Session) -> DeadJobRead:
    """Forget it; the audit log keeps that it was."""
    return views.dead_job(await service.discard_job(session, caller, job_id))


router = Router(
    "",
    route_handlers=[
        find_listings,
        remove_listing,
        restore_listing,
        find_users,
        read_user,
        block_user,
        unblock_user,
        read_audit,
        find_dead_jobs,
        retry_dead_job,
        discard_dead_job,
    ],
    tags=["admin"],
)
