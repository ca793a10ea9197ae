"""Acting in somebody else's place: begun for a reason, for a quarter of an hour, written down, ended at any time."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.audit import service as audit
from memi.auth import impersonation_queries as queries
from memi.auth.events import ImpersonationBegan
from memi.auth.impersonation_errors import CannotImpersonateBlocked, CannotImpersonateSelf, CannotImpersonateStaff
from memi.auth.impersonation_models import Impersonation
from memi.platform.errors import InvalidToken, NotFound, PermissionDenied
from memi.platform.events import publish
from memi.platform.paging import Found, Place
from memi.platform.permissions import STAFF, Permission, Role
from memi.platform.principal import AccessTokens, Principal
from memi.users import service as users
from memi.users.models import User

LIFE = timedelta(minutes=15)
SORT = (datetime, UUID)
"""What a page of them is sorted by: when they began, and their id."""


class Begun(NamedTuple):
    """An impersonation with the one token it ever has."""

    impersonation: Impersonation
    user: User
    access_token: str


async def begin(
    session: AsyncSession, tokens: AccessTokens, caller: Principal, user_id: UUID, reason: str, *, chats: bool
) -> Begun:
    """Let the caller act in a person's place; `chats` asks to read theirs as well.

    Raises `PermissionDenied`, `NotFound`, `CannotImpersonateSelf`, `CannotImpersonateStaff`,
    `CannotImpersonateBlocked`.
    """
    if chats and not caller.may(Permission.CHATS_IMPERSONATE):
        raise PermissionDenied(f"Reading their chats needs the permission {Permission.CHATS_IMPERSONATE}.")
    if user_id == caller.user_id:
        raise CannotImpersonateSelf
    # Both, in one order, since the new row points at both.
    user = (await users.lock_together(session, {caller.user_id, user_id})).get(user_id)
    if user is None or user.deleted_at is not None:
        raise NotFound
    if STAFF & set(user.roles):
        raise CannotImpersonateStaff
    if user.is_blocked:
        raise CannotImpersonateBlocked
    begun = await queries.begin(
        session,
        LIFE,
        user_id=user.id,
        admin_id=caller.user_id,
        admin_session_id=caller.session_id,
        epoch=user.epoch,
        reason=reason,
        chats=chats,
    )
    facts = {"impersonation_id": begun.id, "expires_at": begun.expires_at, "chats": chats}
    await audit.record(session, caller, "impersonation.begin", "USER", user.id, reason=reason, after=facts)
    publish(session, ImpersonationBegan(begun.id, user.id, begun.created_at, begun.expires_at))
    in_their_place = Principal(
        user.id,
        begun.id,
        frozenset(Role(name) for name in user.roles),
        begun.expires_at,
        impersonator_id=caller.user_id,
        may_read_chats=chats,
    )
    return Begun(begun, user, tokens.issue_to_impersonator(in_their_place, begun.created_at))


async def end(session: AsyncSession, caller: Principal, impersonation_id: UUID) -> None:
    """End one, whoever began it; raises `NotFound` when there is none that has not ended."""
    await _end(session, caller, impersonation_id, "ended_by_staff")


async def end_over(session: AsyncSession, impersonation_id: UUID) -> None:
    """Write down that one is over which nobody ended; changes nothing when it stands after all."""
    because = await queries.lock_over(session, impersonation_id)
    if because is not None:
        await _end(session, None, impersonation_id, because)


async def _end(session: AsyncSession, caller: Principal | None, impersonation_id: UUID, because: str) -> None:
    ended = await queries.end(session, impersonation_id, because)
    if ended is None:
        raise NotFound
    facts: Mapping[str, object] = {"impersonation_id": ended.id, "because": because, "admin_id": ended.admin_id}
    await audit.record(session, caller, "impersonation.end", "USER", ended.user_id, after=facts)


async def find(
    session: AsyncSession, place: Place, *, admin: UUID | None, user: UUID | None, standing: bool
) -> tuple[Found[Impersonation], set[UUID]]:
    """A page, the newest first, and which of them stand now."""
    found = await queries.page(session, place, admin=admin, user=user, standing=standing)
    return found, await queries.standing_among(session, [row.id for row in found.rows])


class AuditedImpersonation:
    """The platform's `ImpersonationLog`: the audit log."""

    async def note(self, session: AsyncSession, principal: Principal, method: str, path: str) -> None:
        """What is under way lasts before the impersonation can end, or not at all; raises `InvalidToken`."""
        if not await queries.hold(session, principal.session_id):
            raise InvalidToken
        action = "impersonation.look" if method in ("GET", "HEAD") else "impersonation.write"
        facts = {"impersonation_id": principal.session_id, "method": method, "path": path}
        await audit.record(session, principal, action, "USER", principal.user_id, after=facts)
