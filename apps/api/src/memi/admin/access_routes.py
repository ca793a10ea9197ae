"""HTTP for staff: how people sign in."""

from uuid import UUID

from litestar import Router, delete, post
from litestar.params import FromPath, JSONBody

from memi.admin import access
from memi.admin.errors import CannotResetSelf, StaffProtected
from memi.admin.schemas import Reason
from memi.auth.mfa_errors import NoSecondFactor
from memi.platform.dependencies import Caller, Session, recently_proved, requires
from memi.platform.errors import NotAuthenticated, NotFound, PermissionDenied, StepUpRequired, ValidationFailed
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


router = Router("", route_handlers=[reset_mfa, end_sessions], tags=["admin"])
