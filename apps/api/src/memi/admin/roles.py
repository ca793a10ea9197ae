"""Who is staff, as administrators decide it."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.admin.errors import CannotChangeOwnRoles
from memi.admin.service import account_under, check_version
from memi.audit import service as audit
from memi.auth import sessions
from memi.platform.permissions import Role
from memi.platform.principal import Principal
from memi.users import service as users
from memi.users.models import User


async def set_roles(
    session: AsyncSession,
    caller: Principal,
    user_id: UUID,
    roles: Collection[Role],
    *,
    reason: str,
    expected: int | None,
) -> User:
    """Give an account these staff roles and no others. Who loses one is signed out everywhere, at once.

    Raises `CannotChangeOwnRoles`, `NotFound`, `StaleVersion`, `LastAdmin`, `ValidationFailed`.
    """
    if user_id == caller.user_id:
        raise CannotChangeOwnRoles
    user = await account_under(session, caller, user_id)
    check_version(user, expected)
    before = sorted(user.roles)
    lost = await users.set_staff_roles(session, user, roles)
    after = sorted(user.roles)
    if after == before:
        return user
    if lost:
        await sessions.end_all(session, user.id, "demoted")
    facts = {"roles": before}, {"roles": after}
    await audit.record(session, caller, "user.roles", "USER", user.id, reason=reason, before=facts[0], after=facts[1])
    return user
