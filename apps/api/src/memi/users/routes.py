"""HTTP: one's own account and public profiles."""

from uuid import UUID

from litestar import Response, Router, get, patch
from litestar.params import FromPath, JSONBody

from memi.platform.dependencies import Caller, IfMatch, Session
from memi.platform.errors import NotAuthenticated, NotFound, StaleVersion, ValidationFailed
from memi.platform.etags import tagged
from memi.platform.problems import problems
from memi.users import service
from memi.users.schemas import PublicProfile, UserRead, UserUpdate


@get("/users/me", responses=problems(NotAuthenticated))
async def read_me(caller: Caller, session: Session) -> Response[UserRead]:
    """One's own account."""
    user = await service.get(session, caller.user_id)
    return tagged(service.to_read(user), user.version)


@patch("/users/me", responses=problems(NotAuthenticated, StaleVersion, ValidationFailed))
async def update_me(
    data: JSONBody[UserUpdate], caller: Caller, session: Session, if_match: IfMatch
) -> Response[UserRead]:
    """Change one's account by JSON merge patch."""
    user = await service.update(session, caller.user_id, data, if_match)
    return tagged(service.to_read(user), user.version)


@get("/users/{user_id:uuid}", responses=problems(NotFound))
async def read_profile(user_id: FromPath[UUID], session: Session) -> PublicProfile:
    """A person's public profile. Blocked and deleted people are 404."""
    return await service.public_profile(session, user_id)


router = Router("", route_handlers=[read_me, update_me, read_profile], tags=["users"])
