"""Who is staff. USER and SELLER come by rule: everybody is the one, and a first listing makes the other."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.errors import ValidationFailed
from memi.platform.events import publish
from memi.platform.permissions import STAFF, Role
from memi.users import roles_queries as queries
from memi.users.errors import LastAdmin
from memi.users.events import RolesChanged
from memi.users.models import User


async def set_staff_roles(session: AsyncSession, user: User, wanted: Collection[Role]) -> frozenset[Role]:
    """Give a locked account these staff roles and no others; returns those that it lost.

    Raises `LastAdmin`, and `ValidationFailed` for SELLER, which nobody is by hand.
    """
    present = {Role(name) for name in user.roles}
    if Role.SELLER in wanted and Role.SELLER not in present:
        raise ValidationFailed.of("/roles", "by_rule", "SELLER comes with a first listing.")
    after = (present - STAFF) | {Role.USER} | (set(wanted) & STAFF)
    lost = frozenset(present - after)
    if Role.ADMIN in lost:
        await keep_an_admin(session, user)
    if after != present:
        user.roles = [str(role) for role in Role if role in after]
        user.version += 1
        publish(session, RolesChanged(user.id))
    return lost


async def keep_an_admin(session: AsyncSession, leaving: User) -> None:
    """Somebody who can appoint others must always be left; raises `LastAdmin` when a locked account is the last one.

    Of two administrators who go at once the second waits for the first.
    """
    if Role.ADMIN not in leaving.roles or leaving.is_blocked or leaving.deleted_at is not None:
        return
    await queries.take_turns(session)
    if not await queries.another_admin_stands(session, leaving.id):
        raise LastAdmin


async def lock_together(session: AsyncSession, user_ids: Collection[UUID]) -> dict[UUID, User]:
    """Accounts by id, deleted ones too, locked in the order of their ids; unknown ids are absent."""
    return {user.id: user for user in await queries.lock_together(session, user_ids)}
