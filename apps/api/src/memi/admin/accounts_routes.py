"""HTTP for staff: accounts that go and come back."""

from uuid import UUID

from litestar import Router, delete, post
from litestar.params import FromPath, JSONBody

from memi.admin import accounts, views
from memi.admin.errors import CannotDeleteSelf
from memi.admin.schemas import AccountRead, Reason
from memi.platform.dependencies import Caller, Session, recently_proved, requires
from memi.platform.errors import NotAuthenticated, NotFound, PermissionDenied, StepUpRequired, ValidationFailed
from memi.platform.permissions import Permission
from memi.platform.problems import problems
from memi.users.errors import RestoreTooLate

_GUARDS = [requires(Permission.USERS_DELETE), recently_proved]
_DEED = (NotAuthenticated, PermissionDenied, StepUpRequired, NotFound, ValidationFailed)


@delete(
    "/admin/users/{user_id:uuid}",
    status_code=200,
    guards=_GUARDS,
    responses=problems(*_DEED, CannotDeleteSelf),
)
async def delete_user(user_id: FromPath[UUID], data: JSONBody[Reason], caller: Caller, session: Session) -> AccountRead:
    """Delete an account, as its owner could: it is erased after some days, and its owner is mailed a way back."""
    return views.account(await accounts.delete_user(session, caller, user_id, data.reason))


@post(
    "/admin/users/{user_id:uuid}/restore",
    status_code=200,
    guards=_GUARDS,
    responses=problems(*_DEED, RestoreTooLate),
)
async def restore_user(
    user_id: FromPath[UUID], data: JSONBody[Reason], caller: Caller, session: Session
) -> AccountRead:
    """Give a deleted account back while its days last. A block that stood still stands."""
    return views.account(await accounts.restore_user(session, caller, user_id, data.reason))


router = Router("", route_handlers=[delete_user, restore_user], tags=["admin"])
