"""HTTP for staff: how people sign in."""

from uuid import UUID

from litestar import Router, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from memi.admin import access, views
from memi.admin.errors import CannotResetSelf, StaffProtected
from memi.admin.refusals import COLLECTION
from memi.admin.schemas import Reason
from memi.auth.mfa_errors import NoSecondFactor
from memi.auth.schemas import SessionRead
from memi.platform.dependencies import QUERY_MODEL, App, Caller, Session, query_of, recently_proved, requires
from memi.platform.errors import NotAuthenticated, NotFound, PermissionDenied, StepUpRequired, ValidationFailed
from memi.platform.paging import Listed, PageQuery, listed, place_of
from memi.platform.permissions import Permission
from memi.platform.problems import problems

_DEED = (NotAuthenticated, PermissionDenied, StepUpRequired, NotFound, ValidationFailed)


@delete(
    "/admin/users/{user_id:uuid}/mfa",
    guards=[requires(Permission.USERS_RESET_MFA), recently_proved],
    responses=problems(*_DEED, CannotResetSelf, NoSecondFactor),
)
async def reset_mfa(user_id: FromPath[UUID], data: JSONBody[Reason], caller: Caller, session: Session) -> None:
    """Take a lost second factor away, once it is certain who asks. All sessions end and the owner is mailed."""
    await access.reset_mfa(session, caller, user_id, data.reason)


@post(
    "/admin/users/{user_id:uuid}/sessions/end",
    status_code=204,
    guards=[requires(Permission.USERS_BLOCK), recently_proved],
    responses=problems(*_DEED, StaffProtected),
)
async def end_sessions(user_id: FromPath[UUID], data: JSONBody[Reason], caller: Caller, session: Session) -> None:
    """Sign a person out everywhere: tokens stop at once, sockets close within 2 seconds."""
    await access.end_sessions(session, caller, user_id, data.reason)


@get(
    "/admin/users/{user_id:uuid}/sessions",
    guards=[requires(Permission.USERS_READ)],
    dependencies={"asked": query_of(PageQuery)},
    opt={QUERY_MODEL: PageQuery},
    responses={**COLLECTION, **problems(NotFound)},
)
async def list_user_sessions(
    user_id: FromPath[UUID], asked: NamedDependency[PageQuery], caller: Caller, app: App, session: Session
) -> Listed[SessionRead]:
    """Where a person is signed in, newest first. `current` is the session that asks."""
    place = place_of(app.cursors, f"admin.sessions:{user_id}", asked, (UUID,))
    found = await access.sessions_of(session, user_id, place)
    items = [views.session(item, caller) for item in found.rows]
    return listed(app.cursors, place, found, items, lambda item: (item.id,))


router = Router("", route_handlers=[reset_mfa, end_sessions, list_user_sessions], tags=["admin"])
