"""HTTP for staff: finding people, blocking them, and who is staff."""

from uuid import UUID

from litestar import Response, Router, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from memi.admin import roles, service, views
from memi.admin.errors import AlreadyBlocked, CannotBlockSelf, CannotChangeOwnRoles, NotBlocked, StaffProtected
from memi.admin.refusals import COLLECTION, DEED, STAFF
from memi.admin.schemas import AccountDetails, AccountRead, Reason, RolesChange, UserQuery
from memi.platform.dependencies import QUERY_MODEL, App, Caller, IfMatch, Session, query_of, recently_proved, requires
from memi.platform.errors import NotFound, StaleVersion, StepUpRequired
from memi.platform.etags import tagged
from memi.platform.paging import Listed, listed, place_of
from memi.platform.permissions import Permission
from memi.platform.problems import problems
from memi.users import service as users
from memi.users.errors import LastAdmin
from memi.users.service import UserSearch

_CHANGE = (*DEED, StepUpRequired, StaleVersion, StaffProtected)


@get(
    "/admin/users",
    guards=[requires(Permission.USERS_READ)],
    dependencies={"asked": query_of(UserQuery)},
    opt={QUERY_MODEL: UserQuery},
    responses=COLLECTION,
)
async def find_users(asked: NamedDependency[UserQuery], app: App, session: Session) -> Listed[AccountRead]:
    """Accounts, blocked and deleted ones too, newest first."""
    place = place_of(app.cursors, "admin.users", asked, (UUID,))
    found = await users.search(session, UserSearch(asked.q, asked.role, asked.blocked, asked.deleted), place)
    return listed(app.cursors, place, found, [views.account(user) for user in found.rows], lambda item: (item.id,))


@get("/admin/users/{user_id:uuid}", guards=[requires(Permission.USERS_READ)], responses=problems(*STAFF, NotFound))
async def read_user(user_id: FromPath[UUID], session: Session) -> Response[AccountDetails]:
    """One account, blocked and deleted ones too, with the numbers kept of it."""
    user = (await users.get_many(session, [user_id])).get(user_id)
    if user is None:
        raise NotFound
    return tagged(views.account_details(user, await users.stats_of(session, user_id)), user.version)


@post(
    "/admin/users/{user_id:uuid}/block",
    status_code=200,
    guards=[requires(Permission.USERS_BLOCK), recently_proved],
    responses=problems(*_CHANGE, CannotBlockSelf, AlreadyBlocked, LastAdmin),
)
async def block_user(
    user_id: FromPath[UUID], data: JSONBody[Reason], caller: Caller, session: Session, if_match: IfMatch
) -> Response[AccountRead]:
    """Block an account: its sessions and sockets end at once and its listings are hidden. They read the reason."""
    return views.tagged_account(await service.block_user(session, caller, user_id, data.reason, if_match))


@post(
    "/admin/users/{user_id:uuid}/unblock",
    status_code=200,
    guards=[requires(Permission.USERS_BLOCK), recently_proved],
    responses=problems(*_CHANGE, NotBlocked),
)
async def unblock_user(
    user_id: FromPath[UUID], data: JSONBody[Reason], caller: Caller, session: Session, if_match: IfMatch
) -> Response[AccountRead]:
    """Let an account act again. It signs in anew: the sessions that the block ended stay ended."""
    return views.tagged_account(await service.unblock_user(session, caller, user_id, data.reason, if_match))


@put(
    "/admin/users/{user_id:uuid}/roles",
    guards=[requires(Permission.USERS_ROLES), recently_proved],
    responses=problems(*_CHANGE, CannotChangeOwnRoles, LastAdmin),
)
async def change_roles(
    user_id: FromPath[UUID], data: JSONBody[RolesChange], caller: Caller, session: Session, if_match: IfMatch
) -> Response[AccountRead]:
    """Say which staff roles an account has. Who loses one is signed out everywhere at once; one's own stay."""
    changed = await roles.set_roles(session, caller, user_id, data.roles, reason=data.reason, expected=if_match)
    return views.tagged_account(changed)


router = Router("", route_handlers=[find_users, read_user, block_user, unblock_user, change_roles], tags=["admin"])
