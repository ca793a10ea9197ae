"""HTTP for staff: acting in somebody else's place. What its token may do is in docs/impersonation.md."""

from uuid import UUID

from litestar import Router, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from memi.admin.impersonation_schemas import (
    Banner,
    ImpersonationQuery,
    ImpersonationRead,
    ImpersonationRequest,
    ImpersonationStarted,
)
from memi.auth import impersonation
from memi.auth.impersonation_errors import CannotImpersonateBlocked, CannotImpersonateSelf, CannotImpersonateStaff
from memi.auth.impersonation_models import Impersonation
from memi.platform.dependencies import (
    QUERY_MODEL,
    App,
    Caller,
    Session,
    query_of,
    recently_proved,
    requires,
    second_factor_shown,
)
from memi.platform.errors import (
    InvalidCursor,
    MfaEnrolmentRequired,
    NotAuthenticated,
    NotFound,
    PermissionDenied,
    StepUpRequired,
    ValidationFailed,
)
from memi.platform.idempotency import REPEATABLE
from memi.platform.limits import Limit, RateLimited, limited
from memi.platform.paging import Listed, PageTooDeep, listed, place_of
from memi.platform.permissions import Permission
from memi.platform.principal import AccessTokens
from memi.platform.problems import problems

_MAY = requires(Permission.USERS_IMPERSONATE)


@post(
    "/admin/users/{user_id:uuid}/impersonate",
    guards=[_MAY, second_factor_shown, recently_proved, limited(Limit.IMPERSONATE)],
    opt={REPEATABLE: False},
    responses=problems(
        NotAuthenticated,
        PermissionDenied,
        MfaEnrolmentRequired,
        StepUpRequired,
        RateLimited,
        NotFound,
        CannotImpersonateSelf,
        CannotImpersonateStaff,
        CannotImpersonateBlocked,
        ValidationFailed,
    ),
)
async def impersonate(
    user_id: FromPath[UUID], data: JSONBody[ImpersonationRequest], caller: Caller, app: App, session: Session
) -> ImpersonationStarted:
    """Act in a person's place for 15 minutes: see what they see, and change next to nothing.

    It ends at once with `DELETE /admin/impersonations/{id}`, one's own session, role or account. The person is told.
    """
    tokens = app.adapters.get(AccessTokens)
    begun = await impersonation.begin(session, tokens, caller, user_id, data.reason, chats=data.chats)
    row = begun.impersonation
    banner = Banner(row.id, row.user_id, begun.user.shown_name, row.admin_id, row.reason, row.expires_at)
    seconds = round((row.expires_at - row.created_at).total_seconds())
    return ImpersonationStarted(begun.access_token, "Bearer", seconds, banner)


@get(
    "/admin/impersonations",
    guards=[_MAY],
    dependencies={"asked": query_of(ImpersonationQuery)},
    opt={QUERY_MODEL: ImpersonationQuery},
    responses=problems(NotAuthenticated, PermissionDenied, InvalidCursor, PageTooDeep, ValidationFailed),
)
async def find_impersonations(
    asked: NamedDependency[ImpersonationQuery], app: App, session: Session
) -> Listed[ImpersonationRead]:
    """Who acted in whose place and why, of all staff, newest first. Kept for 90 days; the audit log keeps it longer."""
    scope = f"admin.impersonations:{asked.admin}:{asked.user}:{asked.active}"
    place = place_of(app.cursors, scope, asked, impersonation.SORT)
    found, active = await impersonation.find(session, place, admin=asked.admin, user=asked.user, standing=asked.active)
    items = [_read(row, active=row.id in active) for row in found.rows]
    return listed(app.cursors, place, found, items, lambda item: (item.created_at, item.id))


@delete(
    "/admin/impersonations/{impersonation_id:uuid}",
    guards=[_MAY],
    responses=problems(NotAuthenticated, PermissionDenied, NotFound),
)
async def end_impersonation(impersonation_id: FromPath[UUID], caller: Caller, session: Session) -> None:
    """End one, whoever began it: its token stops at once. What it is just doing is done first, or not at all."""
    await impersonation.end(session, caller, impersonation_id)


def _read(row: Impersonation, *, active: bool) -> ImpersonationRead:
    return ImpersonationRead(
        id=row.id,
        admin_id=row.admin_id,
        user_id=row.user_id,
        reason=row.reason,
        chats=row.chats,
        active=active,
        created_at=row.created_at,
        expires_at=row.expires_at,
        ended_at=row.ended_at,
        ended_because=row.ended_because,
    )


router = Router("", route_handlers=[impersonate, find_impersonations, end_impersonation], tags=["admin"])
