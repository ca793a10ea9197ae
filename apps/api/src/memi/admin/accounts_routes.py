"""HTTP for staff: accounts that go and come back."""

from uuid import UUID

from litestar import Response, Router, delete, post
from litestar.params import FromPath, JSONBody

from memi.admin import accounts, views
from memi.admin.errors import CannotDeleteSelf, StaffProtected
from memi.admin.schemas import AccountRead, Reason
from memi.platform.dependencies import Caller, IfMatch, Session, recently_proved, requires
from memi.platform.errors import (
    NotAuthenticated,
    NotFound,
    PermissionDenied,
    StaleVersion,
    StepUpRequired,
    ValidationFailed,
)
from memi.platform.permissions import Permission
from memi.platform.problems import problems
from memi.users.errors import LastAdmin, RestoreTooLate

_GUARDS = [requires(Permission.USERS_DELETE), recently_proved]
_DEED = (NotAuthenticated, PermissionDenied, StepUpRequired, NotFound, StaleVersion, ValidationFailed)


@delete(
    "/admin/users/{user_id:uuid}",
    status_code=200,
    guards=_GUARDS,
    responses=problems(*_DEED, CannotDeleteSelf, StaffProtected, LastAdmin),
)
async def delete_user(
    user_id: FromPath[UUID], data: JSONBody[Reason], caller: Caller, session: Session, if_match: IfMatch
) -> Response[AccountRead]:
    """Delete an account, as its owner could: it is erased after some days, and its owner is mailed a way back."""
    return views.tagged_account(await accounts.delete_user(session, caller, user_id, data.reason, if_match))


@post(
    "/admin/users/{user_id:uuid}/restore",
    status_code=200,
    guards=_GUARDS,
    responses=problems(*_DEED, RestoreTooLate),
)
async def restore_user(
    user_id: FromPath[UUID], data: JSONBody[Reason], caller: Caller, session: Session, if_match: IfMatch
) -> Response[AccountRead]:
    """Give a deleted account back while its days last. A block that stood still stands."""
    return views.tagged_account(await accounts.restore_user(session, caller, user_id, data.reason, if_match))


router = Router("", route_handlers=[delete_user, restore_user], tags=["admin"])
